/** What an idempotency key is worth: the server is killed while clients write, and they send again what got no answer. */
import { afterAll, expect, test } from "bun:test";
import { api, emptyFolder, postgresIn, serve, type Served, signIn } from "./executable";

const folder = emptyFolder();
const cwd = folder.path;
const env = { ADMIN_EMAIL: "a@example.com", ADMIN_PASSWORD: "correct-horse", RATE_LIMIT: "1000000" };
afterAll(folder.remove);

type Wish = { readonly key: string; readonly number: number };

test("kill -9: sent again under its key, every write has one effect", async () => {
  const first = await serve({ cwd, env });
  const admin = api(first.url, await login(first));
  const fields = {
    id: { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } },
    number: { type: "Integer" },
  };
  const schema = { name: "Marks", timestamps: false, fields };
  expect((await admin("POST", "/schemas", { collectionName: "marks", schema })).status).toBe(201);

  const send = await sender(first);
  const acknowledged: Wish[] = [];
  const unanswered: Wish[] = [];
  const enough = Promise.withResolvers<void>();
  const writers = Array.from({ length: 6 }, async (_, writer) => {
    for (let n = 0; ; n++) {
      const wish = { key: crypto.randomUUID(), number: n * 6 + writer };
      const answer = await send(wish).catch(() => null);
      // The server is gone, or lives a moment longer than its PostgreSQL.
      if (answer === null || answer.status === 503) return unanswered.push(wish);
      expect(answer.status).toBe(200);
      acknowledged.push(wish);
      if (acknowledged.length === 120) enough.resolve();
    }
  });
  await enough.promise;
  for (const pid of postgresIn(cwd)) process.kill(pid, "SIGKILL");
  await first.end("SIGKILL");
  await Promise.all(writers);
  expect(unanswered).toHaveLength(6);

  const second = await serve({ cwd, env });
  const again = await sender(second);
  for (const wish of acknowledged)
    expect((await again(wish)).headers.get("idempotency-replayed")).toBe("true");
  for (const wish of [...unanswered, ...unanswered]) expect((await again(wish)).status).toBe(200);
  const { body } = await api(second.url, await login(second))(
    "GET",
    "/items/marks?fields=number&sort=number&limit=-1",
  );
  const wanted = [...acknowledged, ...unanswered].map(({ number }) => number).toSorted((a, b) => a - b);
  expect((body as { data: { number: number }[] }).data.map(({ number }) => number)).toEqual(
    wanted.flatMap((number) => [number, -1 - number]).toSorted((a, b) => a - b),
  );
  expect((await second.end("SIGTERM")).code).toBe(0);
});

const login = ({ url }: Served): Promise<string> => signIn(url, env.ADMIN_EMAIL, env.ADMIN_PASSWORD);

/** Sends a transaction of two operations under a key. */
async function sender(server: Served): Promise<(wish: Wish) => Promise<Response>> {
  const token = await login(server);
  return async ({ key, number }) => {
    const create = (value: number) => ({ action: "create", collection: "marks", data: { number: value } });
    const response = await fetch(`${server.url}/transaction`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        "idempotency-key": key,
      },
      body: JSON.stringify({ operations: [create(number), create(-1 - number)] }),
    });
    await response.arrayBuffer();
    return response;
  };
}
