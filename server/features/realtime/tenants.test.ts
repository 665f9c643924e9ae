/** Open sockets with tenants: each hears of what its tenant has, and no more, also when rows and memberships change. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { closeCodes, type ServerFrame } from "@baasix/types";
import { openInstance, type TestInstance } from "../../testing/app";
import { externalServer, outsider } from "../../testing/postgres";
import { openSocket, type TestSocket } from "../../testing/socket";
import { type Caller, openTwoTenants, type Owner, owners, type TwoTenants } from "../../testing/two-tenants";
import { within } from "../../testing/within";

setDefaultTimeout(60_000);

let scene: TwoTenants;
let url: string;
beforeAll(async () => {
  scene = await openTwoTenants();
  url = scene.listen();
});
afterAll(() => scene.close());

const reads: Readonly<Partial<Record<Caller, readonly Owner[]>>> = {
  ann: ["A"],
  bob: ["B"],
  cleo: ["A"],
  mix: owners,
  stan: owners,
  root: owners,
};

type Change = Extract<ServerFrame, { type: "change" }>;

/** The changes up to the last one that the socket hears of: of the row with the text `end`, in the last of its tenants. */
async function heard(socket: TestSocket, last: string): Promise<readonly Change[]> {
  const all: Change[] = [];
  for (;;) {
    const frame = await socket.expect("change");
    all.push(frame);
    if (JSON.stringify(frame).includes(last)) return all;
  }
}

const write = async (request: string, body?: unknown): Promise<string> => {
  const answer = await scene.as("root", request, body);
  if (answer.status >= 300) throw new Error(`${request}: ${answer.status} ${answer.text}`);
  return String((answer.body as { data?: { id?: string } }).data?.id);
};

test("a subscription tells of the rows of the tenant", async () => {
  const sockets = await Promise.all(
    Object.entries(reads).map(async ([caller, own]) => {
      const socket = await openSocket(url, scene.tokenOf(caller as Caller));
      await socket.subscribe("notes", { fields: ["id", "text", "folder.name"] });
      return { caller, own, socket };
    }),
  );
  for (const owner of owners) {
    const tenant_Id = scene.tenants[owner];
    const folder = { name: `«${owner}» folder` };
    const id = await write("POST /items/notes", { text: `«${owner}» made`, tenant_Id, folder });
    await write(`PATCH /items/notes/${id}`, { text: `«${owner}» changed` });
    await write(`DELETE /items/notes/${id}`);
  }
  for (const owner of owners)
    await write("POST /items/notes", { text: `end «${owner}»`, tenant_Id: scene.tenants[owner] });
  for (const { caller, own, socket } of sockets) {
    const frames = await heard(socket, `end «${own.at(-1)}»`);
    const text = JSON.stringify(frames);
    for (const owner of owners)
      expect([caller, owner, text.includes(`«${owner}» made`)]).toEqual([caller, owner, own.includes(owner)]);
    // Made, changed, gone and the end, of each.
    expect([caller, frames.length]).toEqual([caller, own.length * 4]);
    // What lies behind the notes of others stays closed to who may read the notes alone.
    if (caller === "mix") expect(text).not.toContain("«B» folder");
    socket.close();
  }
});

test("a row that moves to another tenant leaves one view and enters another", async () => {
  const [ann, bob] = await Promise.all(
    (["ann", "bob"] as const).map(async (caller) => {
      const socket = await openSocket(url, scene.tokenOf(caller));
      await socket.subscribe("notes", { fields: ["id", "text"] });
      return socket;
    }),
  );
  if (!ann || !bob) throw new Error("no sockets");
  const id = await write("POST /items/notes", { text: "moving", tenant_Id: scene.A });
  expect(JSON.stringify(await ann.expect("change"))).toContain("moving");
  await write(`PATCH /items/notes/${id}`, { tenant_Id: scene.B, text: "secret of B" });
  const left = await ann.expect("change");
  expect(left.type).toBe("change");
  expect(JSON.stringify(left)).not.toContain("secret of B");
  expect(JSON.stringify(left)).toContain(id);
  const entered = await bob.expect("change");
  expect(JSON.stringify(entered)).toContain("secret of B");
  ann.close();
  bob.close();
});

test("equal live queries of a role have the answers of their tenants", async () => {
  const [tag] = [crypto.randomUUID()];
  const query = { filter: { kind: { eq: tag } }, fields: ["text"], sort: ["text"], count: "exact" };
  const open = async (caller: "ann" | "bob" | "cleo" | "stan") => {
    const socket = await openSocket(url, scene.tokenOf(caller));
    socket.send({ type: "query", collection: "notes", query });
    const told = JSON.stringify(await socket.take((frame) => frame.type.startsWith("query")));
    return { socket, told };
  };
  await write("POST /items/notes", { text: "«A» first", kind: tag, tenant_Id: scene.A });
  const [ann, bob, cleo, stan] = [
    await open("ann"),
    await open("bob"),
    await open("cleo"),
    await open("stan"),
  ];
  expect([ann, bob, cleo, stan].map(({ told }) => told.includes("«A» first"))).toEqual([
    true,
    false,
    true,
    true,
  ]);
  await write("POST /items/notes", { text: "«B» second", kind: tag, number: 2, tenant_Id: scene.B });
  for (const { socket } of [bob, stan])
    expect(JSON.stringify(await socket.take((frame) => frame.type.startsWith("query")))).toContain(
      "«B» second",
    );
  await write("POST /items/notes", { text: "«A» third", kind: tag, number: 3, tenant_Id: scene.A });
  for (const { socket } of [ann, cleo, stan]) {
    await socket.take((frame) => JSON.stringify(frame).includes("«A» third"));
  }
  for (const { socket } of [ann, cleo]) expect(socket.heard.join("")).not.toContain("«B»");
  expect(bob.socket.heard.join("")).not.toContain("«A»");
  for (const { socket } of [ann, bob, cleo, stan]) socket.close();
});

test("a socket ends with the membership that it came in with", async () => {
  const inA = await openSocket(url, scene.tokenOf("cleo"));
  const inB = await openSocket(url, await scene.enter("cleo", scene.B));
  await inB.subscribe("notes", { fields: ["id", "text"] });
  await inA.subscribe("notes", { fields: ["id", "text"] });
  const [membership] = (await scene.everything("baasix_UserRole")).filter(
    (row) => row.user_Id === scene.idOf("cleo") && row.tenant_Id === scene.B,
  );
  await write(`DELETE /items/baasix_UserRole/${String(membership?.id)}`);
  expect((await inB.closed).code).toBeGreaterThan(4000);
  await write("POST /items/notes", { text: "still here", tenant_Id: scene.A });
  expect(JSON.stringify(await inA.expect("change"))).toContain("still here");
  inA.close();
});

/** A server that may read no log and make no triggers, on a database of its own. */
async function withoutFeed(): Promise<{ scene: TwoTenants; app: TestInstance; close: () => Promise<void> }> {
  const server = await externalServer({ walLevel: "replica" });
  const own = await openTwoTenants({ address: server.address });
  await outsider(
    server.address,
    "create role stranger login",
    "grant all on all tables in schema public to stranger",
    "grant all on all sequences in schema public to stranger",
    `revoke all on "baasix_Change" from stranger`,
  );
  const app = await openInstance(own.config, {
    kind: "url",
    url: server.url.replace("operator", "stranger"),
  });
  while (app.feed.status().source !== "off") await Bun.sleep(5);
  const close = async (): Promise<void> => {
    await app.close();
    await own.close();
    await server.stop();
  };
  return { scene: own, app, close };
}

test.each([
  ["the log", async () => ({ scene, app: scene as TestInstance, close: () => Promise.resolve() })],
  ["nobody", withoutFeed],
] as const)(
  "a socket ends within a second when its tenant is deleted, told of by %s",
  async (_name, open) => {
    const { scene: at, app, close } = await open();
    const [C = ""] = await at.make("baasix_Tenant", { name: "Cord" });
    await at.make("baasix_UserRole", { user_Id: at.idOf("ann"), role_Id: at.roles.member, tenant_Id: C });
    const token = await at.enter("ann", C);
    const socket = await openSocket(app.listen(), token);
    const { status } = await app.call("DELETE", `/items/baasix_Tenant/${C}`, { token: at.admin });
    const { code } = await within(1_000, socket.closed);
    expect([status, code]).toEqual([200, closeCodes.unauthorized]);
    await close();
  },
);
