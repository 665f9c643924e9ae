import { expect, test } from "bun:test";
import { createArgon2 } from "./argon2";

const cost = { memoryCost: 8192, timeCost: 1 };
const native = createArgon2();
const bun = createArgon2(() => Promise.reject(new Error("there is no such library here")));

const passwords = ["correct horse", "pässwörd €😀", "x".repeat(128), "$argon2id$"];

test.each(passwords)("each reads what the other wrote: %j", async (password) => {
  for (const [maker, reader] of [
    [native, bun],
    [bun, native],
    [native, native],
    [bun, bun],
  ] as const) {
    const hash = await maker.hash(password, cost);
    expect(hash).toStartWith("$argon2id$v=19$m=8192,t=1,p=1$");
    expect(await reader.verify(password, hash)).toBe(true);
    expect(await reader.verify(`${password}.`, hash)).toBe(false);
    expect(await maker.hash(password, cost)).not.toBe(hash);
  }
});

test("the native library is there, and is not what Bun does", async () => {
  let isLoaded = false;
  const watched = createArgon2(async () => {
    const library = await import("@node-rs/argon2");
    isLoaded = true;
    return library;
  });
  expect(await watched.verify("a", await watched.hash("a", cost))).toBe(true);
  expect(isLoaded).toBe(true);
});

test("a hash that was brought from elsewhere is compared, too", async () => {
  const bcrypt = await Bun.password.hash("brought along", { algorithm: "bcrypt", cost: 4 });
  expect(await native.verify("brought along", bcrypt)).toBe(true);
  expect(await native.verify("something else", bcrypt)).toBe(false);
});

test.each(["", "plain text", "$argon2id$v=19$m=8192,t=1,p=1$", "$argon2id$nonsense"])(
  "what is no hash is refused: %j",
  async (text) => {
    for (const argon2 of [native, bun]) {
      const outcome = await argon2.verify("a", text).then(
        (matches) => matches,
        () => "refused",
      );
      expect(outcome).not.toBe(true);
    }
  },
);
