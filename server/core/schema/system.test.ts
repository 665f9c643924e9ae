/** That who changes the built-in collections gives them a new number, by which older servers know that they are not theirs. */
import { expect, test } from "bun:test";
import { systemCollections, systemVersion } from "./system";

/** What the definitions of the last number come to. */
const digest = { version: 1, sha256: "9776cdcb19ba8919755321788b60fc0a4476cd6b93a3b4fad114d300deae25df" };

test("the built-in collections are those of their number", () => {
  const definitions = [...systemCollections].map(([name, { definition }]) => [name, definition]);
  const sha256 = new Bun.CryptoHasher("sha256").update(JSON.stringify(definitions)).digest("hex");
  // They are not: raise `systemVersion` by one, unless no release has had that number yet, and put here what came out.
  expect({ version: systemVersion, sha256 }).toEqual(digest);
});
