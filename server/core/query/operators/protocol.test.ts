import { expect, test } from "bun:test";
import { join } from "node:path";
import { protocolFile } from "./protocol";

test("the SDK knows the operators of this table (else: bun tasks/operators.ts)", async () => {
  const file = join(import.meta.dir, "../../../../sdk/protocol/operators.ts");
  expect(await Bun.file(file).text()).toBe(protocolFile());
});
