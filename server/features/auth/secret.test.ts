import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deriveKey, loadSecret } from "./secret";

const dir = mkdtempSync(join(tmpdir(), "baasix-secret-"));
afterAll(() => rmSync(dir, { recursive: true }));
const file = join(dir, "secret.key");

test("makes a key once, for its owner alone, and keeps it", () => {
  const made = loadSecret({ BAASIX_DIR: dir });
  expect(made.bytes.byteLength).toBe(32);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(loadSecret({ BAASIX_DIR: dir })).toEqual(made);
});

test("takes back rights that others got", () => {
  chmodSync(file, 0o644);
  loadSecret({ BAASIX_DIR: dir });
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test("prefers the configured key, and keeps those that were in use before", () => {
  const [text, earlier] = [
    "configured, with more than 32 characters",
    "earlier, with more than 32 characters",
  ];
  const bytes = (of: string) => new TextEncoder().encode(of);
  const secret = loadSecret({ BAASIX_DIR: dir, SECRET_KEY: text, SECRET_KEY_PREVIOUS: [earlier] });
  expect(secret).toEqual({ bytes: bytes(text), previous: [{ bytes: bytes(earlier) }] });
});

test("takes further lines of the file as earlier keys", () => {
  const before = loadSecret({ BAASIX_DIR: dir });
  const added = Buffer.from(crypto.getRandomValues(new Uint8Array(32)));
  const kept = readFileSync(file, "utf8");
  writeFileSync(file, `${added.toString("base64url")}\n${kept}`);
  expect(loadSecret({ BAASIX_DIR: dir })).toEqual({
    bytes: new Uint8Array(added),
    previous: [{ bytes: before.bytes }],
  });
  writeFileSync(file, `${kept}short\n`);
  expect(() => loadSecret({ BAASIX_DIR: dir })).toThrow(file);
  writeFileSync(file, kept);
});

test("refuses a file without a key, names it and does not repeat it", () => {
  writeFileSync(file, "c2hvcnQ");
  expect(() => loadSecret({ BAASIX_DIR: dir })).toThrow(file);
  expect(readFileSync(file, "utf8")).toBe("c2hvcnQ");
});

test("derives another key for each use", () => {
  const secret = { bytes: new Uint8Array(32) };
  expect(deriveKey(secret, "a")).toEqual(deriveKey(secret, "a"));
  expect(deriveKey(secret, "a")).not.toEqual(deriveKey(secret, "b"));
});
