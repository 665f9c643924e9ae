/** Notifications with tenants: whom they may be for, and where their user sees them. */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { system } from "../../core/access/actor";
import { openSocket, type TestSocket } from "../../testing/socket";
import { type Caller, openTwoTenants, type TwoTenants } from "../../testing/two-tenants";

setDefaultTimeout(60_000);

const root = system("sets the scene of the test");
const collection = "baasix_Notification";
const unknown = "00000000-0000-4000-8000-000000000000";
let scene: TwoTenants;
let cleoInB = "";
beforeAll(async () => {
  scene = await openTwoTenants();
  cleoInB = await scene.enter("cleo", scene.B);
});
afterAll(() => scene.close());

// Of cleo, who is a member of both tenants, one for each and one for everywhere; of ann and bob one in theirs.
beforeEach(async () => {
  await scene.data.removeWhere(root, collection, { id: { isNotNull: true } });
  for (const [title, owner, tenant_Id] of [
    ["cleo in A", "cleo", scene.A],
    ["cleo in B", "cleo", scene.B],
    ["cleo everywhere", "cleo", null],
    ["ann in A", "ann", scene.A],
    ["bob in B", "bob", scene.B],
  ] as const)
    await scene.make(collection, { type: "note", title, message: "m", userId: scene.idOf(owner), tenant_Id });
});

const titles = async (token: string): Promise<unknown> => {
  const answer = await scene.call("GET", "/notifications?fields=title&sort=title", { token });
  const { data } = answer.body as { data: { title: string }[] };
  return data.map(({ title }) => title);
};

describe("their user sees those of the tenant that it acts in, and those for everywhere", () => {
  test.each<[who: string, token: () => string, titles: string[]]>([
    ["cleo in A", () => scene.tokenOf("cleo"), ["cleo everywhere", "cleo in A"]],
    ["cleo in B", () => cleoInB, ["cleo everywhere", "cleo in B"]],
    // Her role opens all rows of the tenant, and here her own ones alone.
    ["ann", () => scene.tokenOf("ann"), ["ann in A"]],
    ["root", () => scene.tokenOf("root"), []],
    ["nobody", () => scene.tokenOf("nobody"), []],
  ])("%s", async (_, token, expected) => {
    expect(await titles(token())).toEqual(expected);
    const count = await scene.call("GET", "/notifications/unread/count", { token: token() });
    expect(count.body).toEqual({ count: expected.length });
  });

  test("and marks and deletes no others", async () => {
    const marked = await scene.call("POST", "/notifications/mark-seen", { token: cleoInB });
    expect(marked.body).toMatchObject({ count: 2 });
    expect((await scene.call("DELETE", "/notifications", { token: cleoInB })).body).toMatchObject({
      count: 2,
    });
    expect(await titles(scene.tokenOf("cleo"))).toEqual(["cleo in A"]);
  });
});

describe("sending", () => {
  const row = (
    sender: Caller,
    to: readonly Caller[],
    tenant: (() => string | null) | undefined,
    status: number,
  ) => [sender, to, tenant, status] as const;
  const A = () => scene.A;
  const B = () => scene.B;
  const none = () => null;
  test.each([
    // A role of one tenant sends there, to members.
    row("ann", ["ann", "cleo", "mix"], undefined, 200),
    row("ann", ["cleo"], A, 200),
    // Another one she may not name, whoever is a member there.
    row("ann", ["cleo"], B, 403),
    row("ann", ["stan"], B, 403),
    row("ann", ["cleo"], none, 403),
    row("ann", ["bob"], undefined, 400),
    row("ann", ["cleo", "bob"], undefined, 400),
    row("ann", ["stan"], undefined, 400),
    row("ann", ["nobody"], undefined, 400),
    // A role of all tenants, and administrators: to members of the tenant that they name, to anybody in none.
    row("stan", ["ann"], A, 200),
    row("stan", ["bob"], A, 400),
    row("stan", ["ann", "bob"], undefined, 200),
    row("root", ["ann"], A, 200),
    row("root", ["bob"], A, 400),
    row("root", ["ann", "bob", "nobody"], undefined, 200),
    row("root", ["ann", "bob"], none, 200),
    row("root", ["ann"], () => unknown, 400),
    row("bob", ["bob", "cleo"], undefined, 200),
  ])("%s to %p in %p: %d", async (sender, to, tenant, status) => {
    const body = {
      type: "note",
      title: "sent",
      message: "m",
      userIds: to.map((name) => scene.idOf(name)),
      ...(tenant && { tenant_Id: tenant() }),
    };
    const answer = await scene.as(sender, "POST /notifications/send", body);
    expect([answer.status, answer.text]).toEqual([status, answer.text]);
    const sent = await scene.data.find<{ userId: string; tenant_Id: string | null }>(root, collection, {
      filter: { title: { eq: "sent" } },
      fields: ["userId", "tenant_Id"],
      limit: -1,
    });
    expect(sent.map(({ userId }) => userId).toSorted()).toEqual(
      status === 200 ? body.userIds.toSorted() : [],
    );
    const own = sender === "ann" ? scene.A : sender === "bob" ? scene.B : null;
    const wanted = tenant ? tenant() : own;
    expect(new Set(sent.map(({ tenant_Id }) => tenant_Id))).toEqual(new Set(status === 200 ? [wanted] : []));
  });

  test("who is no member and who is not there look the same", async () => {
    const refusal = async (id: string) => {
      const body = { type: "note", title: "sent", message: "m", userIds: [id] };
      const { status, text } = await scene.as("ann", "POST /notifications/send", body);
      return [status, text.replaceAll(id, "<id>").replace(/"requestId":"[^"]*"/, "")];
    };
    expect(await refusal(scene.idOf("bob"))).toEqual(await refusal(unknown));
  });
});

test("sockets hear what their user sees where it acts", async () => {
  const url = scene.listen();
  const tokens = [scene.tokenOf("cleo"), cleoInB, scene.tokenOf("nobody")];
  const sockets = await Promise.all(
    tokens.map(async (token) => {
      const socket = await openSocket(url, token);
      await socket.subscribe(collection, { fields: ["title"] });
      return socket;
    }),
  );
  const send = async (title: string, tenant_Id: string | null, name: Caller): Promise<void> => {
    const body = { type: "note", title, message: "m", userIds: [scene.idOf(name)], tenant_Id };
    expect((await scene.as("root", "POST /notifications/send", body)).status).toBe(200);
  };
  await send("first in A", scene.A, "cleo");
  await send("second in B", scene.B, "cleo");
  for (const name of ["cleo", "nobody"] as const) await send("last", null, name);
  const heard = await Promise.all(sockets.map(titlesUpToLast));
  expect(heard).toEqual([["first in A", "last"], ["second in B", "last"], ["last"]]);
  for (const socket of sockets) socket.close();
});

async function titlesUpToLast(socket: TestSocket): Promise<unknown[]> {
  const titles: unknown[] = [];
  while (titles.at(-1) !== "last") {
    // What was written before it asked may make it read again.
    const frame = await socket.take(({ type }) => type === "change");
    if (frame.type === "change") titles.push((frame.data as { title?: unknown }).title);
  }
  return titles;
}
