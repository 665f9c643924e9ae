import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { FileRecord } from "@baasix/types";
import { type Answer, testApp, type TestApp } from "../../testing/app";

let app: TestApp;
let ann: string;
let bob: string;
let role: string;

/** 8 x 8 red pixels. */
const gif = Uint8Array.fromBase64("R0lGODlhCAAIAIAAAP8AAAAAACH5BAAAAAAALAAAAAAIAAgAAAIHhI+py+1dAAA7");
const missing = "00000000-0000-4000-8000-000000000000";

beforeAll(async () => {
  app = await testApp({ env: { MAX_UPLOAD_FILE_SIZE: "1", TRANSFORM_RATE_LIMIT: "1000" } });
  const accounts = await Promise.all([app.signUp("ann@example.com"), app.signUp("bob@example.com")]);
  [ann, bob] = [accounts[0].token, accounts[1].token];
  role = await app.roleId("user");
  await allow("create", ["title", "folder", "isPublic"], {
    OR: [{ folder: null }, { type: { startsWith: "image/" } }],
  });
  const own = { userCreated_Id: { eq: "$CURRENT_USER" } };
  await allow("read", ["*"], own);
  await allow("update", ["title", "isPublic"], own);
  await allow("delete", ["*"], own);
});
afterAll(() => app.close());

async function allow(action: string, fields: readonly string[], conditions: object): Promise<void> {
  const body = { role_Id: role, collection: "baasix_File", action, fields, conditions };
  const answer = await app.call("POST", "/permissions", { token: app.admin, body });
  if (answer.status !== 201 && answer.status !== 200) throw new Error(answer.text);
}

type Content = string | Uint8Array<ArrayBuffer>;

function upload(
  token: string | undefined,
  content: Content,
  name: string,
  fields: Record<string, string> = {},
): Promise<Answer> {
  const body = new FormData();
  for (const [field, value] of Object.entries(fields)) body.set(field, value);
  body.set("file", new Blob([content], { type: "image/png" }), name);
  return app.call("POST", "/files", { body, ...(token !== undefined && { token }) });
}

async function uploaded(...args: Parameters<typeof upload>): Promise<FileRecord> {
  const answer = await upload(...args);
  if (answer.status !== 201) throw new Error(answer.text);
  return (answer.body as { data: FileRecord }).data;
}

const asset = (id: string, query = "", token?: string, headers: Record<string, string> = {}) =>
  app.call("GET", `/assets/${id}${query}`, { headers, ...(token !== undefined && { token }) });
const codeOf = ({ body }: Answer) => (body as { error?: { code: string } } | null)?.error?.code;
const folder = (id: string) => join(app.config.BAASIX_DIR, "files", id);
/** Everything in the storage. */
const stored = async () =>
  (await readdir(join(app.config.BAASIX_DIR, "files"), { recursive: true })).toSorted();

describe("POST /files", () => {
  test("answers the record; what the server knows comes from the bytes", async () => {
    const record = await uploaded(ann, gif, "Überblick €.PNG", { folder: "pictures", isPublic: "true" });
    expect(record).toMatchObject({
      title: "Überblick €.PNG",
      originalFilename: "Überblick €.PNG",
      filename: `${record.id}.png`,
      type: "image/gif",
      size: gif.byteLength,
      width: 8,
      height: 8,
      storage: "local",
      folder: "pictures",
      isPublic: true,
    });
  });

  test("a text file named .png is text", async () => {
    const { id, type, width } = await uploaded(ann, "just words", "photo.png");
    expect({ type, width }).toEqual({ type: "text/plain", width: null });
    const answer = await asset(id, "?width=10", ann);
    expect([answer.status, codeOf(answer)]).toEqual([415, "UNSUPPORTED_MEDIA_TYPE"]);
  });

  test("an administrator may set every described part", async () => {
    const fields = { title: "T", description: "D", folder: "F", isPublic: "false", metadata: '{"a":[1]}' };
    expect(await uploaded(app.admin, "x", "a.txt", fields)).toMatchObject({
      ...fields,
      isPublic: false,
      metadata: { a: [1] },
    });
  });

  test("a file of exactly the limit passes", async () => {
    const { size } = await uploaded(ann, new Uint8Array(1024 * 1024), "full.bin");
    expect(size).toBe(1024 * 1024);
  });

  const refused: readonly [string, () => Promise<Answer>, number, string, string][] = [
    ["anonymous", () => upload(undefined, gif, "a.gif"), 403, "FORBIDDEN", "permission to create"],
    [
      "one byte too many",
      () => upload(ann, new Uint8Array(1024 * 1024 + 1), "a.bin"),
      413,
      "PAYLOAD_TOO_LARGE",
      "1 MiB",
    ],
    [
      "many bytes too many",
      () => upload(ann, new Uint8Array(9 * 1024 * 1024), "a.bin"),
      413,
      "PAYLOAD_TOO_LARGE",
      "1 MiB",
    ],
    [
      "a field the role may not write",
      () => upload(ann, gif, "a.gif", { description: "x" }),
      403,
      "FORBIDDEN",
      "description",
    ],
    [
      "a row the role may not make, judged by the true type",
      () => upload(ann, "text", "a.png", { folder: "x" }),
      403,
      "FORBIDDEN",
      "",
    ],
    [
      "an unknown part",
      () => upload(ann, gif, "a.gif", { titel: "x" }),
      400,
      "UNKNOWN_FIELD",
      "did you mean 'title'",
    ],
    [
      "a part of the server's",
      () => upload(app.admin, gif, "a.gif", { type: "text/html" }),
      400,
      "UNKNOWN_FIELD",
      "'type'",
    ],
    ["a bad flag", () => upload(ann, gif, "a.gif", { isPublic: "maybe" }), 400, "INVALID_VALUE", "isPublic"],
    [
      "bad metadata",
      () => upload(app.admin, gif, "a.gif", { metadata: "{" }),
      400,
      "INVALID_VALUE",
      "metadata",
    ],
    [
      "JSON",
      () => app.call("POST", "/files", { token: ann, body: { file: "x" } }),
      415,
      "UNSUPPORTED_MEDIA_TYPE",
      "multipart/form-data",
    ],
    [
      "a form without a file",
      () => app.call("POST", "/files", { token: ann, body: textForm() }),
      400,
      "BAD_REQUEST",
      "field name 'file'",
    ],
  ];
  test.each(refused)("refuses %s and keeps no bytes", async (_name, send, status, code, message) => {
    const before = await stored();
    const answer = await send();
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
    expect(answer.text).toContain(message);
    expect(await stored()).toEqual(before);
  });

  test("no row stays when the bytes cannot be stored", async () => {
    const count = async () =>
      ((await app.call("GET", "/files?limit=1", { token: app.admin })).body as { totalCount: number })
        .totalCount;
    const before = await count();
    await upload(ann, new Uint8Array(2 * 1024 * 1024), "a.bin");
    expect(await count()).toBe(before);
  });
});

function textForm(): FormData {
  const form = new FormData();
  form.set("title", "no file");
  return form;
}

describe("who may have the bytes", () => {
  test("private: the owner; for others the same answer as for no file at all", async () => {
    const { id } = await uploaded(ann, gif, "a.gif");
    expect((await asset(id, "", ann)).status).toBe(200);
    expect((await asset(id, `?access_token=${ann}`)).status).toBe(200);
    const withoutId = ({ body }: Answer) => ({ ...(body as { error: object }).error, requestId: "" });
    for (const query of ["", "?width=4", "?width=4&format=webp"])
      expect(withoutId(await asset(id, query, bob))).toEqual(withoutId(await asset(missing, query, bob)));
    expect([(await asset(id)).status, (await asset(missing)).status]).toEqual([404, 404]);
    expect((await asset("no-uuid", "", ann)).status).toBe(400);
  });

  test("public: everyone, until it is private again, variants included", async () => {
    const { id } = await uploaded(ann, gif, "a.gif", { isPublic: "true" });
    const seen = async () => [
      (await asset(id)).status,
      (await asset(id, "?width=4")).status,
      (await asset(id, "", bob)).status,
    ];
    expect(await seen()).toEqual([200, 200, 200]);
    expect((await asset(id)).headers.get("cache-control")).toBe("public, max-age=60, must-revalidate");
    const changed = await app.call("PATCH", `/files/${id}`, { token: ann, body: { isPublic: false } });
    expect(changed.body).toMatchObject({ data: { id, isPublic: false } });
    expect(await seen()).toEqual([404, 404, 404]);
    expect((await asset(id, "", ann)).headers.get("cache-control")).toBe("private, no-cache");
  });

  test("lists show own and public files", async () => {
    const [open, closed] = [
      await uploaded(ann, "o", "o", { isPublic: "true" }),
      await uploaded(ann, "c", "c"),
    ];
    const list = async (token: string) => {
      const filter = encodeURIComponent(JSON.stringify({ id: { in: [open.id, closed.id] } }));
      const query = `?filter=${filter}&fields=id`;
      return ((await app.call("GET", `/files${query}`, { token })).body as { data: { id: string }[] }).data
        .map(({ id }) => id)
        .toSorted();
    };
    expect(await list(ann)).toEqual([open.id, closed.id].toSorted());
    expect(await list(bob)).toEqual([open.id]);
    expect((await app.call("GET", `/files/${closed.id}`, { token: bob })).status).toBe(404);
    expect((await app.call("GET", `/files/${closed.id}?fields=id,title`, { token: ann })).body).toEqual({
      data: { id: closed.id, title: "c" },
    });
  });
});

describe("PATCH /files/:id", () => {
  test.each([
    [{ title: "New" }, 200],
    [{ description: "not granted" }, 403],
    [{ type: "text/html" }, 400],
    [{ filename: "../../x" }, 400],
    [{ isPublic: "yes" }, 400],
    [[], 400],
  ])("%j gives %d", async (body, status) => {
    const { id } = await uploaded(ann, gif, "a.gif");
    expect((await app.call("PATCH", `/files/${id}`, { token: ann, body })).status).toBe(status);
  });

  test("others cannot, and learn nothing", async () => {
    const { id } = await uploaded(ann, gif, "a.gif");
    const answer = await app.call("PATCH", `/files/${id}`, { token: bob, body: { title: "x" } });
    expect([answer.status, codeOf(answer)]).toEqual([404, "NOT_FOUND"]);
  });

  test("what the server knows cannot be written through /items either", async () => {
    const { id } = await uploaded(ann, gif, "a.gif");
    const changed = await app.call("PATCH", `/items/baasix_File/${id}`, {
      token: app.admin,
      body: { type: "text/html" },
    });
    expect(changed.status).toBeGreaterThanOrEqual(400);
    expect((await asset(id, "", ann)).headers.get("content-type")).toBe("image/gif");
  });
});

describe("DELETE", () => {
  test.each(["/files", "/items/baasix_File"])(
    "%s/:id removes the row, the bytes and what was made of them",
    async (path) => {
      const { id } = await uploaded(ann, gif, "a.gif");
      await asset(id, "?width=4", ann);
      expect(await readdir(folder(id))).toHaveLength(2);
      expect((await app.call("DELETE", `${path}/${id}`, { token: bob })).status).toBe(404);
      expect(await readdir(folder(id))).toHaveLength(2);
      expect((await app.call("DELETE", `${path}/${id}`, { token: ann })).status).toBe(200);
      expect(existsSync(folder(id))).toBe(false);
      expect((await asset(id, "", ann)).status).toBe(404);
    },
  );
});

test.each(["POST", "PATCH", "DELETE"])("%s takes no parameters, and does nothing then", async (method) => {
  const { id } = await uploaded(ann, gif, "a.gif", { title: "kept" });
  const before = await stored();
  const form = new FormData();
  form.set("file", new Blob([gif]), "b.gif");
  const answer = await app.call(method, `/files${method === "POST" ? "" : `/${id}`}?isPublic=true`, {
    token: ann,
    ...(method !== "DELETE" && { body: method === "POST" ? form : { title: "changed" } }),
  });
  expect([answer.status, codeOf(answer)]).toEqual([400, "INVALID_QUERY"]);
  expect(await stored()).toEqual(before);
  const { body } = await app.call("GET", `/files/${id}?fields=title`, { token: ann });
  expect(body).toEqual({ data: { title: "kept" } });
});

describe("GET /assets/:id", () => {
  test("sends the original with headers that let nothing run", async () => {
    const { id } = await uploaded(ann, gif, "Übersicht.gif");
    const answer = await fetch(`${app.listen()}/assets/${id}`, {
      headers: { authorization: `Bearer ${ann}` },
    });
    expect(await answer.bytes()).toEqual(gif);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "content-type": "image/gif",
      "content-length": String(gif.byteLength),
      "accept-ranges": "bytes",
      etag: `"${id}"`,
      "content-security-policy": "sandbox; default-src 'none'",
      "x-content-type-options": "nosniff",
      "content-disposition": `inline; filename="?bersicht.gif"; filename*=UTF-8''%C3%9Cbersicht.gif`,
    });
  });

  const shown: readonly [string, Content, string, string][] = [
    ["GIF in place", gif, "image/gif", "inline"],
    ["plain text in place", "words", "text/plain; charset=utf-8", "inline"],
    ["PDF in place", "%PDF-1.7\n", "application/pdf", "inline"],
    ["SVG as a download", '<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml", "attachment"],
    [
      "HTML as a download",
      "<!doctype html><script>alert(1)</script>",
      "text/html; charset=utf-8",
      "attachment",
    ],
    ["unknown bytes as a download", new Uint8Array([0, 1, 2, 3]), "application/octet-stream", "attachment"],
  ];
  test.each(shown)("%s", async (_name, content, type, disposition) => {
    const { id } = await uploaded(ann, content, "a.gif");
    const { headers } = await asset(id, "", ann);
    expect(headers.get("content-type")).toBe(type);
    expect(headers.get("content-disposition")).toStartWith(disposition);
    const download = await asset(id, "?download=true", ann);
    expect(download.headers.get("content-disposition")).toBe("attachment; filename=a.gif");
  });

  test("makes the image that is asked for, once", async () => {
    const { id } = await uploaded(ann, gif, "pic.gif");
    const first = await fetch(`${app.listen()}/assets/${id}?width=4&format=webp`, {
      headers: { authorization: `Bearer ${ann}` },
    });
    expect(first.headers.get("content-type")).toBe("image/webp");
    expect(first.headers.get("content-disposition")).toBe("inline; filename=pic.webp");
    expect(new TextDecoder("latin1").decode((await first.bytes()).slice(8, 12))).toBe("WEBP");
    await asset(id, "?format=webp&width=4&fit=contain", ann);
    expect((await readdir(folder(id))).toSorted()).toEqual(["original", "v1-w4-q80.webp"]);
  });

  test("format=auto follows Accept and says so to caches", async () => {
    const { id } = await uploaded(ann, gif, "a.gif");
    const browser = await asset(id, "?format=auto", ann, { accept: "image/avif,image/webp,*/*;q=0.8" });
    const other = await asset(id, "?format=auto", ann);
    expect([browser, other].map(({ headers }) => headers.get("content-type"))).toEqual([
      "image/webp",
      "image/jpeg",
    ]);
    expect(browser.headers.get("vary")).toContain("Accept");
  });

  test.each([
    "?width=0",
    "?width=4097",
    "?width=x",
    "?quality=101",
    "?fit=stretch",
    "?format=gif",
    "?download=1",
  ])("%s is refused, naming the parameter", async (query) => {
    const { id } = await uploaded(ann, gif, "a.gif");
    const answer = await asset(id, query, ann);
    expect(answer.status).toBe(400);
    expect(answer.text).toContain(`query.${query.slice(1).split("=")[0]}`);
  });

  test("an image that cannot be decoded is told as such", async () => {
    const { id, type } = await uploaded(ann, gif.slice(0, 30), "cut.gif");
    expect(type).toBe("image/gif");
    const answer = await asset(id, "?width=4", ann);
    expect([answer.status, codeOf(answer)]).toEqual([415, "UNSUPPORTED_MEDIA_TYPE"]);
    expect((await asset(id, "", ann)).status).toBe(200);
  });

  test("a known tag gives 304 without bytes, after the right was checked", async () => {
    const { id } = await uploaded(ann, gif, "a.gif");
    for (const query of ["", "?width=4"]) {
      const etag = (await asset(id, query, ann)).headers.get("etag") ?? "";
      const again = await asset(id, query, ann, { "if-none-match": `"other", ${etag}` });
      expect([again.status, again.text, again.headers.get("etag")]).toEqual([304, "", etag]);
      expect((await asset(id, query, bob, { "if-none-match": etag })).status).toBe(404);
      expect((await asset(id, query, ann, { "if-none-match": '"other"' })).status).toBe(200);
    }
  });

  const ranges: readonly [Record<string, string>, number, string, string | null][] = [
    [{ range: "bytes=2-4" }, 206, "234", "bytes 2-4/10"],
    [{ range: "bytes=7-" }, 206, "789", "bytes 7-9/10"],
    [{ range: "bytes=-2" }, 206, "89", "bytes 8-9/10"],
    [{ range: "bytes=5-100" }, 206, "56789", "bytes 5-9/10"],
    [{ range: "bytes=10-" }, 416, "", "bytes */10"],
    [{ range: "bytes=0-1,3-4" }, 200, "0123456789", null],
    [{ range: "lines=1-2" }, 200, "0123456789", null],
    [{ range: "bytes=2-4", "if-range": '"other"' }, 200, "0123456789", null],
  ];
  test.each(ranges)(
    "%j gives %d, in-process and over a socket",
    async (headers, status, text, contentRange) => {
      const { id } = await uploaded(ann, "0123456789", "a.txt");
      const inProcess = await asset(id, "", ann, headers);
      expect([inProcess.status, inProcess.text, inProcess.headers.get("content-range")]).toEqual([
        status,
        text,
        contentRange,
      ]);
      const socket = await fetch(`${app.listen()}/assets/${id}`, {
        headers: { ...headers, authorization: `Bearer ${ann}` },
      });
      expect([socket.status, await socket.text(), socket.headers.get("content-range")]).toEqual([
        status,
        text,
        contentRange,
      ]);
    },
  );

  test("a range of the tag that is still true", async () => {
    const { id } = await uploaded(ann, "0123456789", "a.txt");
    expect((await asset(id, "", ann, { range: "bytes=0-0", "if-range": `"${id}"` })).status).toBe(206);
  });

  test("HEAD tells the size without the bytes", async () => {
    const { id } = await uploaded(ann, "0123456789", "a.txt");
    const answer = await fetch(`${app.listen()}/assets/${id}`, {
      method: "HEAD",
      headers: { authorization: `Bearer ${ann}` },
    });
    expect([answer.status, answer.headers.get("content-length"), await answer.text()]).toEqual([
      200,
      "10",
      "",
    ]);
  });

  test("bytes that were lost are told apart from a file that is not there", async () => {
    const created = await app.call("POST", "/items/baasix_File", {
      token: app.admin,
      body: { title: "no bytes" },
    });
    const { id } = (created.body as { data: { id: string } }).data;
    const answer = await asset(id, "", app.admin);
    expect([answer.status, codeOf(answer)]).toEqual([404, "NOT_FOUND"]);
    expect(answer.text).toContain("not in the storage");
  });
});
