import { afterAll, beforeAll, expect, test } from "bun:test";
import type { ItemId } from "@baasix/types";
import { createApp } from "./app";
import { system } from "./core/access/actor";
import { type TestApp, testApp } from "./testing/app";
import { externalServer } from "./testing/postgres";

// Two instances on one database: what one changes, the other takes up from the log.
let first: TestApp;
let second: Awaited<ReturnType<typeof createApp>>;

beforeAll(async () => {
  first = await testApp();
  second = await createApp(first.config, first.address);
});
afterAll(async () => {
  await second.close();
  await first.close();
});

async function ask(path: string, token: string): Promise<number> {
  const request = new Request(`http://localhost${path}`, { headers: { authorization: `Bearer ${token}` } });
  return (await second.routes.handle(request)).status;
}

/** Asks the second instance after each change that it hears of, until the answer is the expected one. */
async function untilAnswered(path: string, token: string, status: number): Promise<void> {
  const heard = Promise.withResolvers<void>();
  const check = () => {
    ask(path, token).then((got) => got === status && heard.resolve(), heard.reject);
  };
  const stops = [second.feed.onChanges(check), second.snapshot.onChange(check)];
  check();
  await heard.promise;
  for (const stop of stops) stop();
}

test("schemas, permissions, roles and sessions of another instance count here", async () => {
  const user = await first.signUp("user@example.com");
  await untilAnswered("/items/things", first.admin, 404);
  await first.call("POST", "/schemas", {
    token: first.admin,
    body: { collectionName: "things", schema: { name: "Thing", fields: { name: { type: "String" } } } },
  });
  await untilAnswered("/items/things", first.admin, 200);

  expect(await ask("/items/things", user.token)).toBe(403);
  const roles = await first.call("GET", "/items/baasix_Role?filter[name]=user", { token: first.admin });
  const [role] = (roles.body as { data: { id: string }[] }).data;
  await first.call("POST", "/permissions", {
    token: first.admin,
    body: { role_Id: role?.id, collection: "things", action: "read", fields: ["*"] },
  });
  await untilAnswered("/items/things", user.token, 200);

  await first.call("GET", "/auth/logout", { token: user.token });
  await untilAnswered("/items/things", user.token, 401);
});

test("without a log the database is asked: schema and rights of another instance count here", async () => {
  const server = await externalServer({ walLevel: "replica" });
  const one = await createApp(first.config, server.address);
  const other = await createApp(first.config, server.address);
  const swapped = async (change: () => Promise<unknown>): Promise<void> => {
    const heard = Promise.withResolvers<void>();
    const stop = other.snapshot.onChange(() => heard.resolve());
    await change();
    await heard.promise;
    stop();
  };
  const fields = { name: { type: "String" } } as const;
  await swapped(() =>
    one.snapshot.changeSchema(() => ({
      put: [{ collectionName: "things", schema: { name: "Thing", fields } }],
      remove: [],
    })),
  );
  const read = () => other.data.read({ kind: "anonymous" }, "things", {});
  await expect(read()).rejects.toThrow("permission");
  const setting = system("the test gives and takes rights");
  const [role] = await one.data.find<{ id: string }>(setting, "baasix_Role", { filter: { name: "public" } });
  let ids: readonly ItemId[] = [];
  await swapped(async () => {
    const permission = { role_Id: role?.id, collection: "things", action: "read", fields: ["*"] };
    ids = await one.data.create(setting, "baasix_Permission", [permission]);
  });
  expect(await read()).toMatchObject({ totalCount: 0 });
  await swapped(() => one.data.remove(setting, "baasix_Permission", ids));
  await expect(read()).rejects.toThrow("permission");
  await other.close();
  await one.close();
  await server.stop();
}, 60_000);
