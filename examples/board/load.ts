/** Makes the example's collections, its role, its accounts and a first board. May run again at any time. */
import { parseArgs } from "node:util";
import { type Baasix, BaasixError, createBaasix } from "@baasix/sdk";
import type { BaasixCollections } from "./baasix";
import { collections, editor, firstBoard, people, relationships } from "./schema";

/** A client that knows the example's collections. */
export type Client = Baasix<BaasixCollections>;

/** Tells what was done, a line at a time. */
type Report = (line: string) => void;

/**
 * Brings a server to the example's state, as an administrator: what is there already is left as it is.
 * `password` is for the accounts that do not exist yet.
 */
export async function load(client: Client, password: string, report: Report): Promise<void> {
  const { data } = await client.schemas.find({ limit: -1 });
  const known = new Set(data.map(({ collectionName }) => collectionName));
  for (const [name, definition] of Object.entries(collections)) {
    if (known.has(name)) continue;
    await client.schemas.create(name, definition);
    const relation = relationships[name];
    if (relation) await client.schemas.createRelationship(name, relation);
    report(`made the collection ${name}`);
  }
  await makeRole(client, password, report);
  if ((await client.items("boards").count()) === 0) await makeBoard(client, report);
}

async function makeRole(client: Client, password: string, report: Report): Promise<void> {
  const { name, grants } = editor;
  const known = await client.roles.findByName(name);
  const id = known?.id ?? String(await client.roles.create({ name }));
  const { data: granted } = await client.permissions.findByRole(id);
  for (const grant of grants) {
    const { collection, action } = grant;
    if (granted.some((row) => row.collection === collection && row.action === action)) continue;
    await client.permissions.create({ role_Id: id, ...grant });
    report(`${name} may ${action} ${collection}`);
  }
  for (const person of people) {
    if (await client.users.findByEmail(person.email)) continue;
    await client.users.create({ ...person, password, role_Id: id });
    report(`made the account ${person.email} with the password ${password}`);
  }
}

async function makeBoard(client: Client, report: Report): Promise<void> {
  const { name, columns } = firstBoard;
  const board = String(await client.items("boards").create({ name }));
  for (const { title, closed, cards } of columns) {
    const column = String(await client.items("columns").create({ title, closed, board_Id: board }));
    await client.items("cards").createMany(cards.map((card) => ({ title: card, column_Id: column })));
  }
  report(`made the board ${name}`);
}

if (import.meta.main) {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ options: { url: text, email: text, password: text } });
  const { env } = process;
  const email = values.email ?? env.ADMIN_EMAIL;
  const password = values.password ?? env.ADMIN_PASSWORD;
  if (email === undefined || password === undefined) {
    console.error("bun run load --url <url> --email <administrator> --password <password>");
    process.exit(2);
  }
  const url = values.url ?? env.BAASIX_URL ?? "http://127.0.0.1:8056";
  const client = createBaasix<BaasixCollections>({ url });
  try {
    await client.auth.login({ email, password });
    await load(client, env.BOARD_PASSWORD ?? crypto.randomUUID(), console.log);
    console.log("The server has the example's data.");
  } catch (error) {
    if (!(error instanceof BaasixError)) throw error;
    console.error(`${url}: ${error.message} (${error.code})`);
    process.exitCode = 1;
  }
}
