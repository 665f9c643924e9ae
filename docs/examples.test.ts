/**
 * The examples of the guides, run as their readers would. A guide is a story on a server of its own with a shop on it
 * (`examples/shop.ts`): its blocks run from top to bottom, and what they say is compared with what happens. Programs are
 * type checked too, with the types that `baasix generate` writes for the shop. There is no kind of block that is not run;
 * one that cannot be run here names the test that does.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Baasix, createBaasix, MemoryStorageAdapter } from "@baasix/sdk";
import { generateTypes } from "../cli/typegen";
import { type TestApp, testAdmin, testApp } from "../server/testing/app";
import { type Block, blocksOf } from "./examples/blocks";
import { openPage, type Page } from "./examples/components";
import { mailedIn, runHttp, type Tokens } from "./examples/http";
import { type Ran, runModule, writeModule } from "./examples/scripts";
import { runShell } from "./examples/shell";
import { customer, openShop } from "./examples/shop";

setDefaultTimeout(60_000);

const root = join(import.meta.dir, "..");
const guides = readdirSync(import.meta.dir).filter((name) => name.endsWith(".md"));

/** A package that only programs for phones have. */
const nativeStorage = `declare module "@react-native-async-storage/async-storage" {
  const storage: import("@baasix/sdk").AsyncStorageLike;
  export { storage as default };
}`;

/** What the server of a guide is set to beyond the settings of all. */
const settings: Readonly<Record<string, Record<string, string>>> = {
  "tenants.md": { MULTI_TENANT: "true", TENANT_OWNER_ROLE: "owner" },
  "react-accounts.md": { MULTI_TENANT: "true" },
};

/** What the blocks of a guide share. */
type Story = {
  readonly app: TestApp;
  readonly url: string;
  readonly port: string;
  readonly folder: string;
  readonly clients: Baasix[];
  readonly admin: Baasix;
  /** The client of the components: nobody is signed in until a component does it. */
  readonly visitor: Baasix;
  readonly ids: ReadonlyMap<string, string>;
  readonly tokens: Tokens;
  readonly ran: Ran[];
  page: Page | null;
};

async function begin(guide: string): Promise<Story> {
  const mails: string[] = [];
  const app = await testApp({
    env: {
      AUTH_APP_URL: "https://myapp.com",
      AUTH_SERVICES_ENABLED: "LOCAL,GITHUB",
      GITHUB_CLIENT_ID: "our id at GitHub",
      GITHUB_CLIENT_SECRET: "our secret at GitHub",
      ...settings[guide],
    },
    sendMail: ({ text }) => Promise.resolve(void mails.push(text)),
  });
  const mailed = async () => {
    await app.errands.idle();
    await app.mail.run();
    return mailedIn(mails.at(-1) ?? "");
  };
  const url = app.listen();
  const [admin, visitor] = [client(url), client(url)];
  await admin.auth.login(testAdmin);
  const ids = await openShop(app, admin);
  // Inside the tree, so that the packages are found.
  mkdirSync(join(root, "dist"), { recursive: true });
  return {
    app,
    url,
    port: new URL(url).port,
    folder: mkdtempSync(join(root, "dist/guide-")),
    clients: [admin, visitor],
    admin,
    visitor,
    ids,
    tokens: { user: await app.login(customer.email, customer.password), mailed },
    ran: [],
    page: null,
  };
}

async function end({ app, folder, clients, page }: Story): Promise<void> {
  await page?.close();
  for (const each of clients) each.close();
  rmSync(folder, { recursive: true });
  await app.close();
}

/** What each kind of block does. */
const kinds: Readonly<Record<string, (story: Story, block: Block) => Promise<void>>> = {
  http: ({ app, tokens }, { text }) => runHttp(app, tokens, text),
  sh: ({ app, port, folder }, { text }) => runShell(text, { port, token: app.admin, folder }),
  ts: runProgram,
  js: runProgram,
  tsx: async (story, block) => {
    await runProgram(story, block);
    story.page ??= await openPage(story.visitor);
    story.page.show(story.ran.at(-1)?.components ?? [], story.ids.get("Boot") ?? "");
  },
  html: async ({ page }, { text, note }) => {
    if (!page) throw new Error("an html block says what the component before it shows");
    await page.expect(text, note);
  },
};

/** Each program has a client of its own, signed in as the administrator. */
async function runProgram({ url, folder, clients, ran }: Story, block: Block): Promise<void> {
  const baasix = client(url);
  clients.push(baasix);
  await baasix.auth.login(testAdmin);
  ran.push(await runModule(folder, block, baasix));
}

function client(url: string): Baasix {
  return createBaasix({ url, storage: new MemoryStorageAdapter() });
}

/** The file of the test that runs a block which cannot be run here. */
function holderOf({ note }: Block): string | undefined {
  return /^held by (\S+)$/.exec(note)?.[1];
}

for (const guide of guides) {
  // oxlint-disable-next-line no-await-in-loop
  const blocks = blocksOf(await Bun.file(join(import.meta.dir, guide)).text());
  const programs = blocks.filter(({ kind }) => /^[tj]sx?$/.test(kind));

  describe(`docs/${guide}`, () => {
    let story: Story;
    beforeAll(async () => {
      story = await begin(guide);
      for (const block of programs) writeModule(story.folder, block, story.port);
    }, 60_000);
    afterAll(() => end(story));

    if (programs.length > 0) {
      test("its programs are typed", async () => {
        const { data } = await story.admin.schemas.find({ limit: -1 });
        writeFileSync(join(story.folder, "baasix.ts"), generateTypes(data));
        writeFileSync(join(story.folder, "native.d.ts"), nativeStorage);
        const tsconfig = {
          extends: "../../tsconfig.json",
          compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
          // What the server imports that is no program.
          include: [".", "../../server/**/*.d.ts"],
          exclude: [],
        };
        writeFileSync(join(story.folder, "tsconfig.json"), JSON.stringify(tsconfig));
        const command = [process.execPath, "check", "--no-script", "-p", story.folder];
        const checked = Bun.spawnSync(command, { cwd: root });
        expect(checked.stdout.toString()).toBe("");
        expect(checked.exitCode).toBe(0);
      });
    }

    for (const block of blocks) {
      const { kind, line } = block;
      const holder = holderOf(block);
      test(`line ${line}: ${kind}${holder ? ` held by ${holder}` : ""}`, async () => {
        if (holder) return expect(existsSync(join(root, holder))).toBe(true);
        const run = kinds[kind];
        if (!run) throw new Error(`a block of the kind '${kind}' is not run: say it as http, ts, tsx or sh`);
        await run(story, block);
      });
    }

    if (programs.length > 0) {
      test("its programs log what they say", async () => {
        for (const { finished } of story.ran) {
          // oxlint-disable-next-line no-await-in-loop
          await finished(10_000);
        }
      });
    }
  });
}
