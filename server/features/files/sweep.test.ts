/** What is left of an upload whose process or connection died between the bytes and the row. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { FileRecord } from "@baasix/types";
import { openLocalStorage, type Storage } from "../../platform/storage";
import { testApp, type TestApp } from "../../testing/app";
import { removeAbandonedBytes } from "./sweep";

const day = 86_400_000;
let app: TestApp;
let storage: Storage;

beforeAll(async () => {
  app = await testApp();
  storage = await openLocalStorage(join(app.config.BAASIX_DIR, "files"));
  app.data.beforeWrite(({ collection, bodies }) => {
    if (collection === "baasix_File" && bodies.some(({ title }) => title === "broken"))
      throw new Error("the connection broke, and nobody knows when");
  });
});
afterAll(() => app.close());

async function upload(title: string) {
  const body = new FormData();
  body.set("title", title);
  body.set("file", new Blob(["bytes"]), "a.txt");
  const answer = await app.call("POST", "/files", { token: app.admin, body });
  return { status: answer.status, id: (answer.body as { data?: FileRecord }).data?.id ?? "" };
}

const listed = async () => (await readdir(join(app.config.BAASIX_DIR, "files"))).toSorted();
const pending = async () => (await storage.list("pending")).length;

test("goes after a day, and nothing else does", async () => {
  const kept = await upload("kept");
  expect(kept.status).toBe(201);
  expect(await pending()).toBe(0);
  const before = await listed();
  // The note of an upload that did end, and bytes of which this database knows nothing.
  await storage.put(`pending/${kept.id}`, new Uint8Array(), { maxBytes: 0 });
  const foreign = crypto.randomUUID();
  await storage.put(`${foreign}/original`, new Uint8Array(3), { maxBytes: 3 });
  // Nobody's upload: what the system of an operator leaves in folders.
  await storage.put("pending/desktop.ini", new Uint8Array(), { maxBytes: 0 });

  expect((await upload("broken")).status).toBe(500);
  expect(await listed()).toHaveLength(before.length + 2);
  expect(await removeAbandonedBytes(app.data, storage, Date.now())).toBe(0);
  expect(await removeAbandonedBytes(app.data, storage, Date.now() + day - 60_000)).toBe(0);
  expect([await pending(), (await listed()).length]).toEqual([3, before.length + 2]);

  expect(await removeAbandonedBytes(app.data, storage, Date.now() + day + 60_000)).toBe(1);
  expect(await pending()).toBe(1);
  expect(await listed()).toEqual([...before, foreign].toSorted());
  const asset = await app.call("GET", `/assets/${kept.id}`, { token: app.admin });
  expect([asset.status, asset.text]).toEqual([200, "bytes"]);
});
