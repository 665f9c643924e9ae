/** `bun tasks/operators.ts`: writes the operators of `sdk/protocol` anew, after the server's table has changed. */
import { join } from "node:path";
import { protocolFile } from "../server/core/query/operators/protocol";
import { root } from "./steps";

await Bun.write(join(root, "sdk/protocol/operators.ts"), protocolFile());
