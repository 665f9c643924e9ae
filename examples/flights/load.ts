/** Makes the example's collections, roles and accounts and fills them from the files. May run again at any time. */
import type { Filter, ItemInput, FieldPath } from "@baasix/types";
import type { Items } from "@baasix/sdk";
import { type Client, patientClient, runProgram } from "./account";
import { type Files, readFiles } from "./data";
import { collections, type ExampleRole, relationships, roles } from "./schema";

/** Rows a request; the server takes at most 1,000. */
const batch = 1000;

/** Tells what was done, a line at a time. */
type Report = (line: string) => void;

/**
 * Brings a server to the example's state, as an administrator: what is there already is left as it is.
 * `password` is for the accounts of the roles that do not exist yet.
 */
export async function load(
  client: Client,
  files: Files,
  { password, report }: { readonly password: string; readonly report: Report },
): Promise<void> {
  await makeCollections(client, report);
  const created = {
    airports: await fill(client.items("airports"), "iata", files.airports),
    flights: await fill(client.items("flights"), "sourceRow", files.flights),
    measurements: await fill(client.items("measurements"), "id", files.measurements),
  };
  for (const [name, count] of Object.entries(created)) report(`created ${count} ${name}`);
  for (const role of roles) await makeRole(client, role, password, report);
}

async function makeCollections(client: Client, report: Report): Promise<void> {
  const { data } = await client.schemas.find({ limit: -1 });
  const known = new Map(data.map(({ collectionName, schema }) => [collectionName, schema]));
  for (const [name, definition] of Object.entries(collections)) {
    if (known.has(name)) continue;
    await client.schemas.create(name, definition);
    report(`made the collection ${name}`);
  }
  for (const relation of relationships) {
    if (known.get("flights")?.fields[relation.name]) continue;
    await client.schemas.createRelationship("flights", relation);
    report(`made the relation flights.${relation.name}`);
  }
}

/** Creates the rows that are not there, by a field that tells them apart, so that a run that was cut short is taken up. */
async function fill<Item extends object>(
  items: Items<Item>,
  key: keyof Item & FieldPath<Item> & keyof ItemInput<Item>,
  rows: readonly ItemInput<Item>[],
): Promise<number> {
  const filter = { [key]: { isNotNull: true } } as Filter<Item>;
  const count = await items.query().filter(filter).count();
  if (count === rows.length) return 0;
  const present = new Set<unknown>();
  if (count > 0) {
    const fields: string = key;
    for await (const item of items.all({ fields, filter, limit: batch })) present.add(item[key]);
  }
  const missing = rows.filter((row) => !present.has(row[key]));
  for (let start = 0; start < missing.length; start += batch) {
    await items.createMany(missing.slice(start, start + batch));
  }
  return missing.length;
}

async function makeRole(client: Client, role: ExampleRole, password: string, report: Report): Promise<void> {
  const { name, description, email, grants } = role;
  const known = await client.roles.findByName(name);
  const id = known?.id ?? String(await client.roles.create({ name, description }));
  const { data: granted } = await client.permissions.findByRole(id);
  for (const { collection, action, fields, conditions } of grants) {
    if (granted.some((row) => row.collection === collection && row.action === action)) continue;
    await client.permissions.create({ role_Id: id, collection, action, fields, conditions });
    report(`${name} may ${action} ${collection}`);
  }
  if (await client.users.findByEmail(email)) return;
  await makeAccount(client, { email, password, firstName: name, role: id });
  report(`made the account ${email} with the password ${password}`);
}

type NewAccount = {
  readonly email: string;
  readonly password: string;
  readonly firstName: string;
  readonly role: string;
};

/** Registers as anyone may, then gives the new account its role. */
async function makeAccount(client: Client, { role, ...account }: NewAccount): Promise<void> {
  const visitor = patientClient(client.url);
  const { user } = await visitor.auth.register(account);
  await visitor.auth.logout();
  visitor.close();
  const memberships = client.items<{ id: string; user_Id: string; role_Id: string }>("baasix_UserRole");
  const { data } = await memberships.find({ filter: { user_Id: user.id } });
  await memberships.updateMany(
    data.map(({ id }) => id),
    { role_Id: role },
  );
}

if (import.meta.main) {
  await runProgram("bun run load: fills a server with the flights of 2001.", async (client) => {
    const password = process.env.FLIGHTS_PASSWORD ?? crypto.randomUUID();
    const started = performance.now();
    await load(client, await readFiles(), { password, report: console.log });
    console.log(
      `The server has the example's data (${((performance.now() - started) / 1000).toFixed(1)} s).`,
    );
  });
}
