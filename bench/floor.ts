/**
 * The floor: hand-written routes, each one prepared statement whose answer PostgreSQL builds as JSON text. No accounts, no
 * permissions, no checks; the row condition of the measured user is written into the statements.
 * Environment: `SOCKET` (folder of PostgreSQL's socket), `IMAGE` (a file), `PORT`. Prints its address.
 */
import { join } from "node:path";
import type { ServerWebSocket } from "bun";

const { SOCKET, IMAGE = "", PORT = "0" } = process.env;
const sql =
  SOCKET === undefined
    ? null
    : new Bun.SQL({ adapter: "postgres", path: SOCKET, username: "baasix", database: "baasix", max: 10 });

const columns = `p.id, p.name, p.price::text AS price, p.stock, p.status, p.rating, p."createdAt"`;
const mine = `p.status = 'active'`;
const found = `to_tsvector('english', a.title || ' ' || a.body) @@ to_tsquery('english', $1::text || ':*') AND a.status = 'active'`;
const newest = `ORDER BY p."createdAt" DESC, p.id`;
// The JSON is made of the rows of the page alone: an expression inside would be computed for skipped rows too.
const list = (page: string, total: string) =>
  `SELECT json_build_object('data', coalesce((SELECT json_agg(r) FROM (${page}) r), '[]'), 'totalCount', (${total}))::text`;

const statements = {
  one: `SELECT row_to_json(r)::text FROM (SELECT ${columns} FROM products p WHERE p.id = $1::uuid AND ${mine}) r`,
  filtered: list(
    `SELECT ${columns} FROM products p WHERE p.price >= $1::numeric AND p.price < $2::numeric AND ${mine} ${newest} LIMIT 20`,
    `SELECT count(*) FROM products p WHERE p.price >= $1::numeric AND p.price < $2::numeric AND ${mine}`,
  ),
  hundred: list(
    `SELECT ${columns} FROM products p WHERE ${mine} ${newest} LIMIT 100 OFFSET $1::int`,
    `SELECT count(*) FROM products p WHERE ${mine}`,
  ),
  hundredFrom: list(
    `SELECT ${columns} FROM products p WHERE p.stock >= $1::int AND ${mine} ${newest} LIMIT 100`,
    `SELECT count(*) FROM products p WHERE p.stock >= $1::int AND ${mine}`,
  ),
  related: list(
    `SELECT q.id, q.name,
        (SELECT row_to_json(c) FROM (SELECT c.name, c.id FROM categories c WHERE c.id = q."category_Id") c) AS category,
        (SELECT coalesce(json_agg(v), '[]') FROM (SELECT v.rating, v.body, v.id FROM reviews v WHERE v."product_Id" = q.id) v) AS reviews
      FROM (SELECT p.id, p.name, p."category_Id", p."createdAt" FROM products p WHERE ${mine} ${newest} LIMIT 20 OFFSET $1::int) q
      ORDER BY q."createdAt" DESC, q.id`,
    `SELECT count(*) FROM products p WHERE ${mine}`,
  ),
  byCategory: `SELECT json_build_object('data', coalesce(json_agg(r), '[]'), 'totalCount', count(*))::text FROM (
      SELECT c.name AS "category.name", c.name AS category_name, count(*) AS n, sum(p.stock) AS stock, avg(p.price) AS price
      FROM products p LEFT JOIN categories c ON c.id = p."category_Id" WHERE ${mine} GROUP BY c.name ORDER BY c.name) r`,
  // What matches is looked up once: else PostgreSQL goes along "createdAt" for some words, ten times slower on the whole.
  search: `WITH m AS MATERIALIZED (SELECT a.id, a.title, a."createdAt" FROM articles a WHERE ${found}) ${list(
    `SELECT m.id, m.title FROM m ORDER BY m."createdAt" DESC, m.id LIMIT 20`,
    `SELECT count(*) FROM m`,
  )}`,
  create: `INSERT INTO orders (number, note, amount) VALUES ($1::int, $2::text, $3::numeric)
    RETURNING json_build_object('data', json_build_object('id', id))::text`,
  update: `UPDATE orders SET note = $2::text, "updatedAt" = now() WHERE id = $1::uuid AND number >= 0
    RETURNING json_build_object('data', json_build_object('id', id))::text`,
  bulk: `WITH made AS (INSERT INTO orders (number, note, amount)
      SELECT r.number, r.note, r.amount FROM json_to_recordset($1::text::json) AS r(number int, note text, amount numeric)
      RETURNING id) SELECT json_build_object('data', json_agg(id))::text FROM made`,
  account: `SELECT a.password FROM "baasix_User" u JOIN "baasix_Account" a ON a."user_Id" = u.id
    WHERE u.email = $1::text AND a."providerId" = 'credential'`,
};

async function value(text: string, params: readonly string[]): Promise<string | null> {
  const rows = await sql?.unsafe(text, [...params]).values();
  const found: unknown = rows?.[0]?.[0];
  return typeof found === "string" ? found : null;
}

function json(text: string | null, status = 200): Response {
  if (text === null) return new Response('{"error":"not found"}', { status: 404 });
  return new Response(text, { status, headers: { "content-type": "application/json" } });
}

const sockets = new Set<ServerWebSocket<undefined>>();

const server = Bun.serve({
  port: Number(PORT),
  hostname: "127.0.0.1",
  routes: {
    "/ping": () => new Response("pong"),
    "/one/:id": async ({ params }) => {
      const text = await value(statements.one, [params.id]);
      return json(text === null ? null : `{"data":${text}}`);
    },
    "/filtered/:from/:to": async ({ params }) =>
      json(await value(statements.filtered, [params.from, params.to])),
    "/hundred/:offset": async ({ params }) => json(await value(statements.hundred, [params.offset])),
    "/hundred-from/:least": async ({ params }) => json(await value(statements.hundredFrom, [params.least])),
    "/related/:offset": async ({ params }) => json(await value(statements.related, [params.offset])),
    "/by-category": async () => json(await value(statements.byCategory, [])),
    "/search/:word": async ({ params }) => json(await value(statements.search, [params.word])),
    "/orders": {
      POST: async (request) => {
        const { number, note, amount } = (await request.json()) as Record<string, unknown>;
        return json(await value(statements.create, [String(number), String(note), String(amount)]), 201);
      },
    },
    "/orders/bulk": {
      POST: async (request) => json(await value(statements.bulk, [await request.text()]), 201),
    },
    "/orders/:id": {
      PATCH: async (request) => {
        const { note } = (await request.json()) as Record<string, unknown>;
        return json(await value(statements.update, [request.params.id, String(note)]));
      },
    },
    "/login": {
      POST: async (request) => {
        const { email, password } = (await request.json()) as Record<string, string>;
        const hash = await value(statements.account, [email ?? ""]);
        const right = hash !== null && (await Bun.password.verify(password ?? "", hash));
        return right ? json('{"ok":true}') : new Response(null, { status: 400 });
      },
    },
    "/image/:width/:height": async ({ params }) => {
      const { default: sharp } = await import("sharp");
      const image = sharp(IMAGE).resize(Number(params.width), Number(params.height), { fit: "cover" });
      const bytes = await image.webp({ quality: 80 }).toBuffer();
      return new Response(new Uint8Array(bytes), { headers: { "content-type": "image/webp" } });
    },
    "/stored": () => new Response(Bun.file(join(IMAGE))),
    "/publish": {
      POST: async (request) => {
        const text = await request.text();
        const { number, note, amount } = JSON.parse(text) as Record<string, unknown>;
        const answer = await value(statements.create, [String(number), String(note), String(amount)]);
        for (const socket of sockets) socket.send(text);
        return json(answer, 201);
      },
    },
  },
  fetch: (request, self) => (self.upgrade(request) ? undefined : new Response(null, { status: 404 })),
  websocket: {
    open: (socket) => void sockets.add(socket),
    close: (socket) => void sockets.delete(socket),
    message: () => undefined,
  },
});
console.log(`http://127.0.0.1:${server.port}`);
