/** Sealed secrets: opened by the server alone, for their own factor, also after its secret was replaced. */
import { expect, test } from "bun:test";
import { createFactorSeal } from "./seal";

const key = (n: number) => new Uint8Array(32).fill(n);
const [one, other] = [crypto.randomUUID(), crypto.randomUUID()];

test("it opens for its factor, under the key in use and under an earlier one", async () => {
  const before = createFactorSeal([key(1)]);
  const sealed = await before.close(one, "SECRET");
  expect(sealed).not.toContain("SECRET");
  expect(await before.close(one, "SECRET")).not.toBe(sealed);
  expect(await before.open(one, sealed)).toBe("SECRET");
  const after = createFactorSeal([key(2), key(1)]);
  expect(after.keyId).not.toBe(before.keyId);
  expect(await after.open(one, sealed)).toBe("SECRET");
});

test.each([
  ["moved to another factor", other, (text: string) => text, [key(1)]],
  ["with a key that is gone", one, (text: string) => text, [key(2)]],
  ["damaged", one, (text: string) => `${text.slice(0, -3)}AAA`, [key(1)]],
  ["empty", one, () => "", [key(1)]],
] as const)("it does not open %s", async (_, factor, change, [first, ...rest]) => {
  const sealed = await createFactorSeal([key(1)]).close(one, "SECRET");
  const failed = createFactorSeal([first, ...rest])
    .open(factor, change(sealed))
    .then(
      () => "opened",
      () => "refused",
    );
  expect(await failed).toBe("refused");
});
