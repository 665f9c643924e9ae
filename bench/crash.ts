/**
 * `bun bench/crash.ts [rounds]`: 24 clients write without pause, so that they share statements, everything is killed with SIGKILL at a random moment,
 * the server starts again, and every acknowledged write must be there. Beside it: how many were written unacknowledged.
 */
import { printTable } from "./figures";
import { treeOf } from "./process-cost";
import { emptyFolder, serve } from "./server-process";

const rounds = Number(process.argv[2] ?? 10);
const env = { ADMIN_EMAIL: "bench@example.com", ADMIN_PASSWORD: "correct-horse" };
const folder = emptyFolder();

type Call = (method: string, path: string, body?: unknown) => Promise<Response>;

async function signIn(url: string): Promise<Call> {
  const send = (token: string) => (method: string, path: string, body?: unknown) =>
    fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const answer = await send("")("POST", "/auth/login", {
    email: env.ADMIN_EMAIL,
    password: env.ADMIN_PASSWORD,
  });
  if (!answer.ok) throw new Error(`login answered ${answer.status}`);
  return send(((await answer.json()) as { readonly token: string }).token);
}

async function numbers(call: Call): Promise<Set<number>> {
  const found = new Set<number>();
  for (let page = 1; ; page++) {
    const answer = await call("GET", `/items/marks?fields=number&sort=number&limit=1000&page=${page}`);
    const { data } = (await answer.json()) as { readonly data: readonly { readonly number: number }[] };
    for (const { number } of data) found.add(number);
    if (data.length < 1000) return found;
  }
}

const rows: string[][] = [];
const acknowledged = new Set<number>();
let next = 0;
let missing = 0;
for (let round = 1; round <= rounds; round++) {
  const server = await serve(folder.path, env);
  const call = await signIn(server.url);
  if (round === 1) {
    const fields = {
      id: { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } },
      number: { type: "Integer", allowNull: false, unique: true },
    };
    const made = await call("POST", "/schemas", {
      collectionName: "marks",
      schema: { name: "Marks", fields },
    });
    if (!made.ok) throw new Error(await made.text());
  }
  const before = acknowledged.size;
  const writers = Array.from({ length: 24 }, async () => {
    for (;;) {
      const number = next++;
      const answer = await call("POST", "/items/marks", { number }).catch(() => null);
      if (answer === null) return;
      // PostgreSQL went a moment before the server: not acknowledged.
      if (answer.status === 503) continue;
      if (answer.status !== 201) throw new Error(`a write answered ${answer.status}: ${await answer.text()}`);
      acknowledged.add(number);
    }
  });
  await Bun.sleep(500 + Math.random() * 1500);
  for (const pid of treeOf(server.pid).toReversed()) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // Its parent took it along.
    }
  }
  await server.end("SIGKILL");
  await Promise.all(writers);

  const again = await serve(folder.path, env);
  const present = await numbers(await signIn(again.url));
  const lost = [...acknowledged].filter((number) => !present.has(number)).length;
  missing += lost;
  rows.push([
    String(round),
    String(acknowledged.size - before),
    String(lost),
    String(present.size - (acknowledged.size - lost)),
  ]);
  await again.end();
}
folder.remove();
printTable(["round", "acknowledged", "missing", "written, not acknowledged (all rounds)"], rows);
console.log(`\n${acknowledged.size} acknowledged in ${rounds} rounds, ${missing} missing`);
process.exitCode = missing === 0 ? 0 : 1;
