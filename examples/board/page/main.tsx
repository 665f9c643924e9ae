/** Entry of the page: finds out where the server is and shows the app. */
import { BaasixProvider } from "@baasix/react";
import { createBaasix } from "@baasix/sdk";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import type { BaasixCollections } from "../baasix";
import { App } from "./app";

const { url } = (await (await fetch("./config.json")).json()) as { readonly url: string };
const client = createBaasix<BaasixCollections>({ url });

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <BaasixProvider client={client}>
      <App />
    </BaasixProvider>
  </StrictMode>,
);
