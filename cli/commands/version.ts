/** `baasix version`. */
import { type Command, printResult } from "../command";
import { version as number } from "../package.json" with { type: "json" };

export const version: Command = {
  name: "version",
  summary: "print the version",
  options: [{ flags: "--json", description: "print one JSON document" }],
  examples: ["baasix version", "baasix version --json"],
  run: async (invocation) => {
    const platform = `${process.platform}-${process.arch}`;
    printResult(invocation, { version: number, bun: Bun.version, platform }, [number]);
    return 0;
  },
};
