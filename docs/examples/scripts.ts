/** Makes a module of each program block of a guide, runs it, and holds what it logs against what it says. */
import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Baasix } from "@baasix/sdk";
import type { ComponentType, ReactNode } from "react";
import type { Block } from "./blocks";
import { complete, matches } from "./match";

/** What a module gives: the block, and what each `console.log` of it says that it logs. */
type Module = {
  readonly run?: (baasix: Baasix, log: Log) => Promise<void>;
  readonly said?: (baasix: Baasix) => Readonly<Record<number, readonly unknown[]>>;
  readonly [name: string]: unknown;
};
type Log = (place: number, ...values: readonly unknown[]) => void;

/** What a component of a guide may be given. */
export type ShownComponent = ComponentType<{ readonly id: string; readonly children: ReactNode }>;

/** A block that has run. */
export type Ran = {
  /** Its components, by name, in order. */
  readonly components: readonly ShownComponent[];
  /** Fulfilled when it has logged what it says: at once, or, within so many milliseconds, by callbacks. */
  readonly finished: (patience: number) => Promise<void>;
};

/** The source of a guide's module. `said` of a log is what follows `// →` behind it, over several lines if need be. */
function moduleOf({ kind, text }: Block): string {
  const said: string[] = [];
  let logs = -1;
  let open = false;
  const lines = text.split("\n").map((line) => {
    const arrow = /^(.*?)\s*\/\/ → (.*)$/.exec(line);
    const more = open ? /^\s*\/\/ {3}(.*)$/.exec(line) : null;
    if (more) said[logs] += `\n${more[1]}`;
    const code = (arrow?.[1] ?? line).replaceAll("console.log(", () => `log(${++logs}, `);
    if (arrow) said[logs] = arrow[2] ?? "";
    open = arrow !== null || more !== null;
    return code;
  });
  const expectations = said.flatMap((text, i) => (text === undefined ? [] : [`${i}: [${text}],`]));
  const code = lines.join("\n");
  const isProgram = kind === "tsx" || /^(export|declare module) /m.test(code);
  const imports = isProgram ? [] : [...code.matchAll(/^import [^;]*;$/gm)].map(([line]) => line);
  const body = isProgram ? "" : code.replaceAll(/^import [^;]*;$/gm, "");
  return [
    'import type { Baasix as Client } from "@baasix/sdk";',
    'import type { BaasixCollections as Shop } from "./baasix";',
    "type Log = (place: number, ...values: readonly unknown[]) => void;",
    ...imports,
    isProgram ? code : "",
    "export async function run(baasix: Client<Shop>, log: Log) {",
    "  void [baasix, log];",
    `  await (async () => {\n${body}\n})();`,
    "}",
    "export function said(baasix: Client<Shop>): Record<number, unknown[]> {",
    `  void baasix;\n  return {\n${expectations.join("\n")}\n};`,
    "}",
    "",
  ].join("\n");
}

/** Where the module of a block is written. `js` is not type checked. */
function moduleName({ kind, line }: Block): string {
  return `block-${line}.${kind === "js" ? "js" : kind}`;
}

/** Writes the module of a block; the server of the examples listens on `port`. */
export function writeModule(folder: string, block: Block, port: string): void {
  const source = moduleOf(block).replaceAll("8056", port);
  const typed = block.kind === "js" ? new Bun.Transpiler({ loader: "ts" }).transformSync(source) : source;
  writeFileSync(join(folder, moduleName(block)), typed);
}

/** Runs the written module of a block. */
export async function runModule(folder: string, block: Block, baasix: Baasix): Promise<Ran> {
  const module = (await import(join(folder, moduleName(block)))) as Module;
  const logged: unknown[][] = [];
  await module.run?.(baasix, (place, ...values) => {
    logged[place] = [...(logged[place] ?? []), ...values.map(plain)];
  });
  const said = Object.entries(module.said?.(baasix) ?? {});
  const wrong = () => said.find(([place, values]) => !matches(logged[Number(place)] ?? [], values));
  return {
    components: Object.values(module).filter(isComponent),
    async finished(patience) {
      for (const end = Date.now() + patience; wrong() && Date.now() < end;) {
        // oxlint-disable-next-line no-await-in-loop
        await Bun.sleep(10);
      }
      const found = wrong();
      if (!found) return;
      const values = logged[Number(found[0])] ?? [];
      expect<unknown>(values).toEqual(complete(found[1], values));
    },
  };
}

/** As JSON: what an example says is about data. */
function plain(value: unknown): unknown {
  return value instanceof Error || typeof value !== "object" || value === null
    ? value
    : (JSON.parse(JSON.stringify(value)) as unknown);
}

function isComponent(value: unknown): value is ShownComponent {
  return typeof value === "function" && /^[A-Z]/.test(value.name);
}
