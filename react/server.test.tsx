/** What a server renders: without a window, for several users at once, none of whom sees anything of another. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Baasix, createBaasix, MemoryStorageAdapter } from "@baasix/sdk";
import { dehydrate, QueryClient } from "@tanstack/react-query";
import { renderToString } from "react-dom/server";
import { type TestApp, testAdmin, testApp } from "../server/testing/app";
import {
  BaasixProvider,
  itemsQuery,
  RequireRole,
  sessionQuery,
  SignedIn,
  SignedOut,
  useAuth,
  useItems,
} from ".";

type Note = { id: string; text: string };

let app: TestApp;
let url: string;
let admin: Baasix;

beforeAll(async () => {
  app = await testApp();
  url = app.listen();
  admin = createBaasix({ url, storage: new MemoryStorageAdapter() });
  await admin.auth.login(testAdmin);
  await admin.schemas.create("notes", {
    name: "Note",
    usertrack: true,
    fields: {
      id: { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } },
      text: { type: "String" },
    },
  });
  const role = (await admin.roles.findByName("user"))?.id ?? "";
  const own = { userCreated_Id: { eq: "$CURRENT_USER" } };
  await admin.permissions.createCrudPermissions(role, "notes", { read: { conditions: own }, create: {} });
});
afterAll(async () => {
  admin.close();
  await app.close();
});

/** An account with a note, signed in in a browser: gives the cookies that the browser sends. */
async function visitor(name: string): Promise<string> {
  const account = { email: `${name}@example.com`, password: "password123", firstName: name };
  const client = createBaasix({ url });
  await client.auth.register(account);
  await client.items("notes").create({ text: `secret of ${name}` });
  const answer = await fetch(`${url}/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...account, authMode: "cookie" }),
  });
  return answer.headers
    .getSetCookie()
    .map((cookie) => cookie.split(";")[0])
    .join("; ");
}

function Page() {
  const { user } = useAuth();
  const { data } = useItems<Note>("notes");
  return (
    <>
      <SignedIn pending="who?">{user?.firstName}</SignedIn>
      <SignedOut pending="who?">nobody</SignedOut>
      <RequireRole role="user">, a user</RequireRole>: {data?.data.map(({ text }) => text)}
    </>
  );
}

/** One request of a server that renders. `meanwhile` is awaited halfway. */
async function render(cookie: string, meanwhile: Promise<unknown>) {
  const options = { url, authMode: "cookie", autoRefresh: false, headers: { cookie } } as const;
  const session = await createBaasix(options).auth.getSession();
  const client = createBaasix({ ...options, session });
  const queryClient = new QueryClient();
  await meanwhile;
  await Promise.all([
    queryClient.prefetchQuery(sessionQuery(client)),
    queryClient.prefetchQuery(itemsQuery<Note>(client, "notes")),
  ]);
  const html = renderToString(
    <BaasixProvider client={client} queryClient={queryClient}>
      <Page />
    </BaasixProvider>,
  );
  const handedOver = JSON.stringify([session, dehydrate(queryClient)]);
  client.close();
  return { html: html.replaceAll("<!-- -->", ""), handedOver };
}

test("requests that are rendered at the same time share nothing, and no token leaves the server", async () => {
  expect([typeof window, typeof document, typeof localStorage]).toEqual(Array(3).fill("undefined"));
  const names = ["ann", "bob"];
  const cookies = await Promise.all(names.map(visitor));
  const started: PromiseWithResolvers<void>[] = cookies.map(() => Promise.withResolvers());
  const both = Promise.all(started.map(({ promise }) => promise));
  const pages = await Promise.all(
    cookies.map((cookie, place) => {
      started[place]?.resolve();
      return render(cookie, both);
    }),
  );
  for (const [place, { html, handedOver }] of pages.entries()) {
    const name = names[place] ?? "";
    const other = names[1 - place] ?? "";
    expect(html).toBe(`${name}, a user: secret of ${name}`);
    expect(handedOver).toContain(`secret of ${name}`);
    expect(html + handedOver).not.toContain(other);
    for (const cookie of (cookies[place] ?? "").split("; ")) {
      const value = cookie.slice(cookie.indexOf("=") + 1);
      expect(value.length).toBeGreaterThan(30);
      expect(handedOver).not.toContain(value);
    }
  }
});

test("a page of nobody, and one of which the server knows nothing", async () => {
  const nobody = await render("token=not-a-token", Promise.resolve());
  expect(nobody.html).toBe("who?who?: ");
  const unknown = createBaasix({ url });
  const html = renderToString(<BaasixProvider client={unknown} children={<Page />} />);
  expect(html.replaceAll("<!-- -->", "")).toBe("who?who?: ");
  unknown.close();
});
