/** The command table. Each command loads what it needs when it runs. */
import type { Command } from "../command";
import { admin } from "./admin";
import { exportItems } from "./export";
import { generate } from "./generate";
import { health } from "./health";
import { importItems } from "./import";
import { mail } from "./mail";
import { schema } from "./schema";
import { serve } from "./serve";
import { version } from "./version";

export const commands: readonly Command[] = [
  serve,
  admin,
  generate,
  schema,
  importItems,
  exportItems,
  health,
  mail,
  version,
];
