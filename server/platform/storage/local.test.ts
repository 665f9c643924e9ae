import { afterAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLocalStorage } from "./local";
import { storageSuite } from "./suite";

const home = await mkdtemp(join(tmpdir(), "storage-"));
afterAll(() => rm(home, { recursive: true, force: true }));
const freshFolder = () => mkdtemp(join(home, "root-"));
const bytes = new TextEncoder().encode("secret");
const roomy = { maxBytes: 1000 };

storageSuite("local", async () => openLocalStorage(await freshFolder()));

describe("local storage", () => {
  test("nobody else may read the files", async () => {
    const root = join(await freshFolder(), "made");
    const storage = await openLocalStorage(root);
    await storage.put("a/x", bytes, roomy);
    expect((await stat(root)).mode & 0o777).toBe(0o700);
    expect((await stat(join(root, "a/x"))).mode & 0o777).toBe(0o600);
  });

  test("narrows a folder that was wider", async () => {
    const root = join(await freshFolder(), "wide");
    await mkdir(root, { mode: 0o755 });
    await openLocalStorage(root);
    expect((await stat(root)).mode & 0o777).toBe(0o700);
  });

  test("follows no link, neither a file nor a folder", async () => {
    const outside = await freshFolder();
    await writeFile(join(outside, "x"), "outside");
    const root = await freshFolder();
    const storage = await openLocalStorage(root);
    await symlink(join(outside, "x"), join(root, "file"));
    await symlink(outside, join(root, "folder"));
    expect(await storage.get("file")).toBeNull();
    expect(await storage.get("folder/x")).toBeNull();
    expect(await storage.list("folder")).toEqual([]);
    await expect(storage.put("folder/y", bytes, roomy)).rejects.toThrow("is a link");
    await storage.remove("folder/x");
    await storage.removePrefix("folder");
    expect(await readdir(outside)).toEqual(["x"]);
    await storage.put("file", bytes, roomy);
    expect(await Bun.file(join(outside, "x")).text()).toBe("outside");
  });

  test("works when the root itself is reached through a link", async () => {
    const real = await freshFolder();
    const link = join(await freshFolder(), "link");
    await symlink(real, link);
    const storage = await openLocalStorage(link);
    await storage.put("a/x", bytes, roomy);
    expect(await storage.has("a/x")).toBe(true);
  });

  test("clears drafts of processes that died, not those of a running upload", async () => {
    const root = await freshFolder();
    await openLocalStorage(root);
    const incoming = join(root, ".incoming");
    await writeFile(join(incoming, "old"), "x");
    await writeFile(join(incoming, "new"), "x");
    await utimes(join(incoming, "old"), new Date(0), new Date(0));
    await openLocalStorage(root);
    expect(await readdir(incoming)).toEqual(["new"]);
  });

  test("leaves no draft behind, whether a put works or fails", async () => {
    const root = await freshFolder();
    const storage = await openLocalStorage(root);
    await storage.put("a/x", bytes, roomy);
    await storage.put("a/y", bytes, { maxBytes: 1 }).catch(() => null);
    expect(await readdir(join(root, ".incoming"))).toEqual([]);
  });
});
