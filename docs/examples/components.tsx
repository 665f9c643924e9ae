/** Renders the components of a guide one after the other, and holds what they show against the `html` blocks. */
import { BaasixProvider } from "@baasix/react";
import type { Baasix } from "@baasix/sdk";
import { QueryClient } from "@tanstack/react-query";
import { Suspense } from "react";
import { openDocument, type Rendered } from "../../react/testing/render";
import type { ShownComponent } from "./scripts";

/** A page that the components of a guide are shown on, in turn. */
export type Page = {
  /** Shows components in the place of those before. `id`: the item that a component of one item shows. */
  show(components: readonly ShownComponent[], id: string): void;
  /** Waits until the page reads so; `note` may say `after a click on …` first. @throws Error with what it reads instead */
  expect(html: string, note: string): Promise<void>;
  close(): Promise<void>;
};

/** Opens a page for a client. */
export async function openPage(baasix: Baasix): Promise<Page> {
  const page = await openDocument();
  const queryClient = new QueryClient();
  let shown: Rendered | null = null;
  const text = () => compact(shown?.host.innerHTML ?? "");

  async function wait(reads: () => boolean, wanted: string): Promise<void> {
    for (const end = Date.now() + 10_000; !reads();) {
      if (Date.now() > end) throw new Error(`the page reads\n${text()}\nand not\n${wanted}`);
      // oxlint-disable-next-line no-await-in-loop
      await Bun.sleep(10);
    }
  }

  return {
    show(components, id) {
      shown?.unmount();
      shown = page.render(
        <BaasixProvider client={baasix} queryClient={queryClient}>
          <Suspense>
            {components.map((Component) => (
              <Component key={Component.name} id={id}>
                Hello
              </Component>
            ))}
          </Suspense>
        </BaasixProvider>,
      );
    },
    async expect(html, note) {
      const [, label] = /^after a click on (.+)$/.exec(note) ?? [];
      if (label !== undefined) {
        const button = () =>
          [...(shown?.host.querySelectorAll("button") ?? [])].find(
            ({ textContent }) => textContent === label,
          );
        await wait(() => button() !== undefined, `a button ${label}`);
        button()?.click();
      }
      const wanted = compact(html);
      await wait(() => text() === wanted, wanted);
    },
    async close() {
      shown?.unmount();
      await page.restore();
    },
  };
}

/** Without the white space between elements, and the comments that React puts between texts. */
function compact(html: string): string {
  return html
    .replaceAll(/<!--.*?-->/g, "")
    .replaceAll(/>\s+/g, ">")
    .replaceAll(/\s+</g, "<")
    .replaceAll(/\s+/g, " ")
    .trim();
}
