/** One life of the executable: first start, everything the product does, stop, and the next start. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ClientFrame, ServerFrame } from "@baasix/types";
import { type Api, type Served, api, baasix, emptyFolder, postgresIn, serve, signIn } from "./executable";

const folder = emptyFolder();
const cwd = folder.path;
const email = "first@example.com";
const password = "correct-horse";
const id = { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } };
let server: Served;
let admin: Api;
let token: string;

beforeAll(async () => {
  server = await serve({ cwd });
});
afterAll(async () => {
  await server.end("SIGTERM");
  folder.remove();
});

describe("the first start in an empty folder", () => {
  test("makes the data directory and nothing else, and says that there is no administrator", () => {
    expect(readdirSync(cwd)).toEqual(["baasix_data"]);
    expect(server.started.hasAdministrator).toBe(false);
    expect(server.started.database).toContain("PostgreSQL 18");
    expect(postgresIn(cwd)).toHaveLength(1);
  });

  test("answers health without a login, over HTTP and by the command", async () => {
    const { status, body } = await api(server.url, null)("GET", "/health");
    expect(status).toBe(200);
    expect(body).toMatchObject({ live: true, ready: true, parts: expect.any(Object) });
    const ended = await baasix(["health", "--json", "--url", server.url], { cwd });
    expect({ code: ended.code, document: JSON.parse(ended.out) }).toMatchObject({
      code: 0,
      document: { url: server.url, ready: true },
    });
  });
});

describe("administrators are made while the server runs", () => {
  test("with the password on stdin, once", async () => {
    const args = ["admin", "create", email, "--password-stdin", "--json"];
    const made = await baasix(args, { cwd, stdin: `${password}\n` });
    expect({ code: made.code, document: JSON.parse(made.out) }).toMatchObject({
      code: 0,
      document: { email, created: true },
    });
    const again = await baasix(args, { cwd, stdin: `${password}\n` });
    expect(again.code).toBe(1);
    expect(again.err.trimEnd().split("\n")).toHaveLength(1);
    expect(again.err).toContain(email);
  });

  test("upsert changes the password, list shows the account", async () => {
    expect((await baasix(["admin", "upsert", email, password], { cwd })).out).toBe(
      `Updated administrator ${email}\n`,
    );
    const { data } = JSON.parse((await baasix(["admin", "list", "--json"], { cwd })).out);
    expect(data).toEqual([{ id: expect.any(String), email }]);
  });

  test("and can sign in", async () => {
    token = await signIn(server.url, email, password);
    admin = api(server.url, token);
    expect(await admin("GET", "/auth/me")).toMatchObject({ status: 200, body: { user: { email } } });
  });
});

describe("collections and items", () => {
  test("two collections are made and related", async () => {
    const authors = { name: "Authors", fields: { id, name: { type: "String", allowNull: false } } };
    const books = {
      name: "Books",
      fields: { id, title: { type: "String", allowNull: false }, year: { type: "Integer" } },
    };
    expect((await admin("POST", "/schemas", { collectionName: "authors", schema: authors })).status).toBe(
      201,
    );
    expect((await admin("POST", "/schemas", { collectionName: "books", schema: books })).status).toBe(201);
    const relation = { type: "M2O", name: "author", target: "authors", alias: "books" };
    expect((await admin("POST", "/schemas/books/relationships", relation)).status).toBe(201);
  });

  test("items are written and read with their relation, filtered, sorted, counted", async () => {
    const made = await admin("POST", "/items/authors", { name: "Mary Shelley" });
    expect(made.status).toBe(201);
    const author = (made.body as { readonly data: { readonly id: string } }).data.id;
    const books = [1818, 1826, 1835].map((year) => ({ title: `Of ${year}`, year, author_Id: author }));
    expect((await admin("POST", "/items/books/bulk", books)).status).toBe(201);
    const query = new URLSearchParams({
      fields: JSON.stringify(["year", "author.name"]),
      filter: JSON.stringify({ author: { name: { startsWith: "Mary" } }, year: { gt: 1818 } }),
      sort: "-year",
      limit: "1",
    });
    expect(await admin("GET", `/items/books?${query}`)).toMatchObject({
      status: 200,
      body: { data: [{ year: 1835, author: { name: "Mary Shelley" } }], totalCount: 2 },
    });
  });

  test("nobody reads what only administrators may", async () => {
    const { status, body } = await api(server.url, null)("GET", "/items/books");
    expect({ status, body }).toMatchObject({ status: 403, body: { error: { code: "FORBIDDEN" } } });
  });

  test("the types of the collections are written, found fresh, and found stale", async () => {
    const login = { BAASIX_URL: server.url, BAASIX_TOKEN: token };
    const written = await baasix(["generate", "-o", "src/baasix.d.ts"], { cwd, env: login });
    expect({ code: written.code, err: written.err }).toEqual({ code: 0, err: "" });
    const text = await Bun.file(join(cwd, "src/baasix.d.ts")).text();
    expect(text).toContain("export interface Book {");
    expect(text).toContain("author?: Author | null;");
    const check = ["generate", "--check", "-o", "src/baasix.d.ts"];
    expect((await baasix(check, { cwd, env: login })).code).toBe(0);
    await Bun.write(join(cwd, "src/baasix.d.ts"), `${text}\n`);
    expect((await baasix(check, { cwd, env: login })).code).toBe(1);
    const wrong = await baasix(["generate", "--email", email, "--password", "wrong-horse"], {
      cwd,
      env: { BAASIX_URL: server.url },
    });
    expect({ code: wrong.code, lines: wrong.err.trimEnd().split("\n").length }).toEqual({
      code: 1,
      lines: 1,
    });
  });
});

describe("files", () => {
  test("an image is uploaded, and served as it is and smaller", async () => {
    const form = new FormData();
    form.append("file", new File([await picture()], "dot.png", { type: "image/png" }));
    form.append("title", "A dot");
    const uploaded = await admin("POST", "/files", form);
    expect(uploaded.status).toBe(201);
    const file = (uploaded.body as { readonly data: { readonly id: string } }).data;
    expect(uploaded.body).toMatchObject({
      data: { title: "A dot", type: "image/png", width: 64, height: 32 },
    });
    const path = `${server.url}/assets/${file.id}?width=16&height=16&fit=cover&format=webp`;
    const headers = { authorization: `Bearer ${token}` };
    const small = await fetch(path, { headers });
    expect({ status: small.status, type: small.headers.get("content-type") }).toEqual({
      status: 200,
      type: "image/webp",
    });
    const bytes = new Uint8Array(await small.arrayBuffer());
    expect(new TextDecoder().decode(bytes.slice(8, 12))).toBe("WEBP");
    const etag = small.headers.get("etag") ?? "";
    expect((await fetch(path, { headers: { ...headers, "if-none-match": etag } })).status).toBe(304);
    expect((await fetch(path)).status).toBe(404);
  });
});

describe("the description at /swagger", () => {
  test("is served whole from the executable and knows the new collections", async () => {
    const page = await fetch(`${server.url}/swagger`);
    const html = await page.text();
    expect(page.headers.get("content-type")).toContain("text/html");
    const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, target]) => target ?? "");
    expect(
      loaded.filter((target) => /^(https?:)?\/\//.test(target) && !target.startsWith(server.url)),
    ).toEqual([]);
    for (const target of loaded.filter((entry) => /\.(js|css)$/.test(entry))) {
      expect((await fetch(new URL(target, `${server.url}/swagger`))).status).toBe(200);
    }
    const { body } = await admin("GET", "/swagger/json");
    expect(body).toMatchObject({ openapi: expect.stringMatching(/^3\.1/) });
    expect(Object.keys((body as { readonly paths: object }).paths)).toContain("/items/books");
  });
});

describe("realtime", () => {
  test("a change reaches a subscriber whose filter it meets", async () => {
    const frames = await connect(server.url);
    frames.send({ type: "authenticate", id: "1", token, version: 1 });
    expect(await frames.next()).toMatchObject({ type: "connected", id: "1" });
    frames.send({ type: "subscribe", id: "2", collection: "books", filter: { year: { gte: 1900 } } });
    expect(await frames.next()).toMatchObject({ type: "subscribed", id: "2" });
    await admin("POST", "/items/books", { title: "Too early", year: 1850 });
    await admin("POST", "/items/books", { title: "In time", year: 1901 });
    expect(await frames.next()).toMatchObject({
      type: "change",
      action: "create",
      data: { title: "In time", year: 1901 },
    });
    frames.close();
  });
});

describe("the end", () => {
  test("SIGTERM ends it cleanly: open sockets are told, PostgreSQL is stopped, exit 0", async () => {
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/realtime`);
    await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
    const closed = new Promise<CloseEvent>((resolve) =>
      socket.addEventListener("close", resolve, { once: true }),
    );
    const ended = await server.end("SIGTERM");
    expect(ended.code).toBe(0);
    expect((await closed).code).toBe(1001);
    expect(postgresIn(cwd)).toEqual([]);
  });

  test("administrators are made without a server, too", async () => {
    const { code, out } = await baasix(["admin", "create", "second@example.com", password], { cwd });
    expect({ code, out }).toEqual({ code: 0, out: "Created administrator second@example.com\n" });
    expect(postgresIn(cwd)).toEqual([]);
  });

  test("the next start finds everything, and asks for no administrator", async () => {
    server = await serve({ cwd });
    expect(server.started.hasAdministrator).toBe(true);
    admin = api(server.url, await signIn(server.url, "second@example.com", password));
    expect(await admin("GET", "/items/books?limit=1&fields=id")).toMatchObject({
      status: 200,
      body: { totalCount: 5 },
    });
  });

  test("what the data directory holds is closed to other users", () => {
    expect(statSync(join(cwd, "baasix_data")).mode & 0o007 & ~0o001).toBe(0);
  });
});

/** A 64 × 32 picture. */
async function picture(): Promise<Uint8Array<ArrayBuffer>> {
  const { default: sharp } = await import("sharp");
  const image = sharp({ create: { width: 64, height: 32, channels: 3, background: "#c33" } });
  return new Uint8Array(await image.png().toBuffer());
}

/** A socket whose frames are awaited one by one. */
async function connect(url: string) {
  const socket = new WebSocket(`${url.replace("http", "ws")}/realtime`);
  const waiting: ServerFrame[] = [];
  let wake = Promise.withResolvers<void>();
  socket.addEventListener("message", ({ data }) => {
    waiting.push(JSON.parse(String(data)) as ServerFrame);
    wake.resolve();
  });
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve(), { once: true });
    socket.addEventListener("error", () => reject(new Error("the socket did not open")), { once: true });
  });
  return {
    send: (frame: ClientFrame) => socket.send(JSON.stringify(frame)),
    next: async (): Promise<ServerFrame> => {
      for (;;) {
        const frame = waiting.shift();
        if (frame !== undefined) return frame;
        await wake.promise;
        wake = Promise.withResolvers<void>();
      }
    },
    close: () => socket.close(),
  };
}
