/**
 * The house held by a test: who may import whom, and the few things that may be said in one place only.
 * Every rule stands with a planted example that breaks it, so that a rule that can no longer fail is seen.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";

const root = join(import.meta.dir, "..");

/** A source file. `path` from the root; `code` is the source without comments and types. */
type File = {
  readonly path: string;
  readonly source: string;
  readonly code: string;
  readonly imports: readonly Import[];
};
/** `target` is a path from the root for our own files, else the name as written (`elysia`, `node:fs`, `bun`). */
type Import = { readonly target: string; readonly typeOnly: boolean };
type Rule = {
  readonly name: string;
  /** A file (path, source) that breaks the rule. */
  readonly planted: readonly (readonly [path: string, source: string])[];
  /** What breaks the rule in a file, in words. */
  readonly check: (file: File) => readonly string[];
};

// ---------------------------------------------------------------------------------------------------------------
// The import table. The most specific row counts. A folder may always import itself.

const builtins = /^(node:|bun$|bun:)/;
const anyPackage = /^(?!node:|bun$|bun:|sdk\/|react\/|cli\/|server\/)/;
const driver = /^(pg|bun:sql|postgres|sharp|nodemailer|ioredis)$/;

type Row = {
  readonly from: string;
  /** Folders (from the root, without the slash at the end), files, or patterns of package names. */
  readonly may: readonly (string | RegExp)[];
  /** The same, for `import type` alone. */
  readonly mayType?: readonly (string | RegExp)[];
  readonly never?: readonly RegExp[];
};

const table: readonly Row[] = [
  { from: "sdk/protocol", may: [] },
  { from: "sdk", may: ["sdk/protocol"] },
  {
    from: "react",
    may: ["sdk", "sdk/protocol", /^react$/, /^react\/jsx-runtime$/, /^@tanstack\/react-query$/],
  },
  { from: "cli", may: ["sdk", "sdk/protocol", builtins, anyPackage] },
  { from: "cli/commands/serve.ts", may: ["cli", "server/serve.ts", builtins] },
  // Administrators are made in the database: there is no account yet that could ask a running server for one.
  { from: "cli/commands/accounts.ts", may: ["cli", "sdk/protocol", "server/index.ts", builtins] },
  // A mail is sent to try the settings before there is a server to ask.
  { from: "cli/commands/mail.ts", may: ["cli", "server/index.ts", builtins] },
  // A hash and a check of values are as pure as a sum; what draws from chance is caught by the rule on core below.
  { from: "server/core", may: ["sdk/protocol", /^node:crypto$/, /^zod$/] },
  {
    from: "server/platform",
    may: ["server/core/errors.ts", "server/core/query/statement.ts", "sdk/protocol", builtins, anyPackage],
    never: [/^elysia$/],
  },
  {
    from: "server/data",
    may: [
      "server/core",
      "server/platform/postgres",
      "server/platform/cache",
      "sdk/protocol",
      builtins,
      anyPackage,
    ],
    never: [/^elysia$/, driver],
  },
  {
    from: "server/features",
    may: [
      "server/core",
      "server/data",
      "server/http",
      "server/features",
      "sdk/protocol",
      builtins,
      anyPackage,
    ],
    mayType: ["server/platform", "server/config.ts"],
    never: [driver],
  },
  { from: "server/http", may: ["server/core", "sdk/protocol", builtins, anyPackage], never: [driver] },
  {
    from: "server/config.ts",
    may: ["sdk/protocol", "server/database-settings.ts", "server/oauth-settings.ts", /^zod$/],
  },
  { from: "server/oauth-settings.ts", may: ["sdk/protocol", /^zod$/] },
  { from: "server/testing", may: ["server", "sdk", builtins, anyPackage] },
  { from: "server", may: ["server", "sdk/protocol", builtins, anyPackage] },
  { from: "examples", may: ["sdk", "sdk/protocol", "react", builtins, anyPackage] },
  { from: "bench", may: ["sdk", "sdk/protocol", "server", builtins, anyPackage] },
  { from: "tasks", may: ["server/core", builtins] },
  // These run before anything is installed.
  ...["start", "test", "build", "steps", "debian"].map((name) => ({
    from: `tasks/${name}.ts`,
    may: ["tasks", builtins],
  })),
];

/** Folders whose face is their `index.ts`: others import that and nothing deeper. */
const faces =
  /^(server\/(platform\/postgres\/embedded|platform\/[^/]+|features\/[^/]+|data|http|testing)|sdk\/protocol|sdk|react|server)(?=\/)/;
/** Reached by path, each for its reason. */
const open: readonly { readonly target: RegExp; readonly from?: RegExp; readonly why: string }[] = [
  {
    target: /^server\/core\/(schema|access|query)\//,
    why: "core has three ideas, each a folder of small files",
  },
  { target: /^server\/core\/errors\.ts$/, why: "the one error type" },
  { target: /^server\/config\.ts$/, why: "a single file" },
  {
    target: /^server\/serve\.ts$/,
    from: /^cli\/commands\/serve\.ts$/,
    why: "the face would load all settings before PostgreSQL is on its way",
  },
  { target: /^server\//, from: /^bench\//, why: "measures parts from the inside" },
  {
    target: /^server\/platform\/postgres\/embedded\/launcher\.ts$/,
    from: /^cli\/main\.ts$/,
    why: "as the launcher of PostgreSQL the executable must load nothing else",
  },
];

/** Who may act as the system, outside all rules, and what for. */
const systemCallers: readonly { readonly from: RegExp; readonly why: string }[] = [
  { from: /^server\/core\/access\/actor\.ts$/, why: "makes the actor" },
  { from: /^server\/data\//, why: "loads schema and rules before there is any actor" },
  { from: /^server\/features\/auth\//, why: "accounts, sessions and roles are read before anyone is known" },
  { from: /^server\/features\/files\//, why: "the server writes what it knows of a file: type, size, place" },
  { from: /^server\/features\/audit\//, why: "entries of the audit log end after their time" },
  { from: /^server\/features\/idempotency\//, why: "keys and kept answers are written by the server alone" },
  { from: /^server\/features\/mail\//, why: "mails wait, are rendered and are told of by the server alone" },
  {
    from: /^server\/features\/notifications\//,
    why: "the server's own code notifies; whether an account is there is not the sender's to read; old ones end",
  },
  {
    from: /^server\/features\/oauth\//,
    why: "accounts are found by what a provider says before anyone is known",
  },
  { from: /^server\/features\/schemas\//, why: "definitions are written by the server alone" },
  { from: /^server\/features\/settings\//, why: "settings apply to those who may not read them" },
  { from: /^server\/app\.ts$/, why: "start-up work" },
];

/** Who may read the process environment; all others get their settings handed in. */
const environmentReaders =
  /^(cli\/main\.ts|server\/main\.ts|server\/platform\/postgres\/embedded\/|tasks\/|bench\/|examples\/|server\/testing\/)/;

// ---------------------------------------------------------------------------------------------------------------

const rules: readonly Rule[] = [
  {
    name: "imports keep to the table",
    planted: [
      ["sdk/protocol/x.ts", `import { z } from "zod";`],
      ["sdk/x.ts", `import type { App } from "@baasix/server";`],
      ["sdk/y.ts", `import { readFileSync } from "node:fs";`],
      ["react/x.ts", `export * from "../server/app";`],
      ["cli/commands/x.ts", `const { startServer } = await import("@baasix/server");`],
      ["server/core/query/x.ts", `import { Elysia } from "elysia";`],
      ["server/core/query/y.ts", `import { SQL } from "bun";`],
      ["server/core/schema/z.ts", `import type { Database } from "../../platform/postgres";`],
      ["server/platform/postgres/x.ts", `import { createData } from "../../data";`],
      ["server/data/x.ts", `import { login } from "../features/auth";`],
      ["server/data/y.ts", `import { Elysia } from "elysia";`],
      ["server/features/items/x.ts", `import { createPool } from "../../platform/postgres";`],
      ["server/features/items/y.ts", `import pg from "pg";`],
      ["server/http/x.ts", `import type { Data } from "../data";`],
      ["server/features/auth/x.ts", `import { createApp } from "../../app";`],
    ],
    check: ({ path, imports }) => {
      const row = rowOf(path);
      if (!row) return [`${path} belongs to no folder of the house`];
      return imports.flatMap(({ target, typeOnly }) => {
        const named = [...row.may, ...(typeOnly ? (row.mayType ?? []) : [])];
        const own = within(target, row.from) || sameFace(path, target);
        const forbidden = row.never?.some((pattern) => pattern.test(target)) ?? false;
        const wired = target === "server/app.ts" && !mayWire.test(path);
        const opened = open.some((entry) => entry.from?.test(path) === true && entry.target.test(target));
        const allowed = own || opened || named.some((entry) => matches(target, entry));
        return allowed && !forbidden && !wired ? [] : [`${path} imports ${target}`];
      });
    },
  },
  {
    name: "a folder is entered through its index.ts",
    planted: [
      ["server/features/items/x.ts", `import { login } from "../auth/login";`],
      ["server/data/x.ts", `import { pool } from "../platform/postgres/pool";`],
      ["server/app.ts", `import { routes } from "./features/items/routes";`],
      ["react/x.ts", `import { Session } from "@baasix/sdk/session";`],
    ],
    check: ({ path, imports }) =>
      imports.flatMap(({ target }) => {
        const face = faces.exec(target)?.[1];
        if (face === undefined || target === `${face}/index.ts` || sameFace(path, target)) return [];
        const opened = open.some((entry) => entry.target.test(target) && (entry.from?.test(path) ?? true));
        // Files at the top of `server` are the wiring; they see each other.
        const wiring = face === "server" && path.startsWith("server/");
        return opened || wiring ? [] : [`${path} imports ${target}, past ${face}/index.ts`];
      }),
  },
  {
    name: "SQL text is written in core and platform/postgres alone",
    planted: [
      ["server/features/items/x.ts", "const text = `SELECT * FROM ${name} WHERE id = $1`;"],
      ["server/data/x.ts", `const text = 'insert into "t" values ($1)';`],
      ["server/http/x.ts", `run({ text: 'UPDATE "t" SET a = 1', params: [] });`],
      ["cli/x.ts", `const text = "DROP TABLE x";`],
      [
        "server/features/auth/x.ts",
        `import { quoteName } from "../../core/query/statement"; quoteName("a");`,
      ],
    ],
    check: ({ path, code }) => {
      if (!/^(server|cli)\//.test(path) || /^server\/(core|platform\/postgres|testing)\//.test(path))
        return [];
      return [sqlText, /\bquote(Name|Literal)\(/].flatMap((pattern) => {
        const found = pattern.exec(code)?.[0];
        return found === undefined ? [] : [`${path} holds SQL: ${found}`];
      });
    },
  },
  {
    name: "core is pure: no clock, chance, environment, console or network",
    planted: [
      ["server/core/query/x.ts", "export const now = Date.now();"],
      ["server/core/query/y.ts", "export const now = new Date();"],
      ["server/core/schema/x.ts", "export const id = crypto.randomUUID();"],
      ["server/core/schema/y.ts", "export const url = process.env.DATABASE_URL;"],
      ["server/core/access/x.ts", "Bun.sleepSync(1);"],
    ],
    check: ({ path, code }) => {
      if (!path.startsWith("server/core/")) return [];
      const found =
        /\b(Date\.now\(|new Date(?!\()|new Date\(\)|Math\.random\(|crypto\.|random(UUID|Bytes|Int)\(|process\.|Bun\.|console\.|fetch\(|setTimeout\()/.exec(
          code,
        );
      return found ? [`${path} uses ${found[0]}`] : [];
    },
  },
  {
    name: "only the listed folders act as the system, and they say why",
    planted: [
      ["server/features/items/x.ts", `data.read(system("because"), "posts", {});`],
      ["server/features/auth/x.ts", `data.read(system(""), "baasix_User", {});`],
      ["server/features/realtime/x.ts", `const actor = { kind: "system", reason: "x" };`],
    ],
    check: ({ path, code }) => {
      const calls = [...code.matchAll(/\bsystem\(\s*([^)]*)\)|\bkind:\s*"system"/g)];
      if (!path.startsWith("server/") || calls.length === 0) return [];
      if (!systemCallers.some(({ from }) => from.test(path)))
        return [`${path} acts as the system and is not listed`];
      return calls
        .filter((call) => /^(""|''|``)?$/.test(call[1] ?? "reason"))
        .map(() => `${path} gives no reason`);
    },
  },
  {
    name: "authorized plans are made in authorize.ts alone",
    planted: [
      ["server/core/query/compile.ts", "const read = plan as AuthorizedRead;"],
      ["server/data/x.ts", "const target = { ...plan } as unknown as AuthorizedTarget;"],
      ["server/data/y.ts", "const read = <AuthorizedRead>plan;"],
      ["server/core/query/authorize.ts", "export declare const authorized: unique symbol;"],
    ],
    check: ({ path, source }) => {
      if (path === "server/core/query/authorize.ts") {
        return /export (declare )?const authorized\b/.test(source) ? [`${path} hands out its seal`] : [];
      }
      const found = /\bas\s+(unknown\s+as\s+)?Authorized\w+|(?<!\w)<Authorized\w+>\s*[\w({]/.exec(source);
      return found ? [`${path} casts: ${found[0]}`] : [];
    },
  },
  {
    name: "no flag switches a check off",
    planted: [
      ["server/data/x.ts", "export type Options = { readonly skipPermissions?: boolean };"],
      ["server/features/items/x.ts", "read(actor, { bypassAccess: true });"],
      ["server/data/y.ts", "function read(query: string, asAdmin: boolean) {}"],
    ],
    check: ({ path, source }) => {
      if (!path.startsWith("server/")) return [];
      const found =
        /\b(skip|bypass|ignore|disable|without|no)(Auth|Authorization|Permissions?|Access|Checks?|Policy|Policies|Rules|Validation|Limits?)\b|\b(asAdmin|asSystem|sudo|elevated|trusted)\??\s*:\s*(boolean|true|false)\b/.exec(
          source,
        );
      return found ? [`${path} has ${found[0]}`] : [];
    },
  },
  {
    name: "settings are handed in: the environment is read at the entry alone",
    planted: [["server/features/auth/x.ts", "const secret = process.env.SECRET_KEY;"]],
    check: ({ path, code }) =>
      /\b(process|Bun)\.env\b/.test(code) && !environmentReaders.test(path)
        ? [`${path} reads the environment`]
        : [],
  },
  {
    name: "what is loaded is written as text, so that the table can be held",
    planted: [["server/data/x.ts", "const part = await import(name);"]],
    check: ({ path, code }) => {
      const found = /(?<!\.)\b(import|require)\(\s*(?!["'\s])[^)]*/.exec(code);
      return found ? [`${path} loads ${found[0]}`] : [];
    },
  },
  {
    name: "no drawer for odds and ends",
    planted: [
      ["server/utils/x.ts", ""],
      ["sdk/common/y.ts", ""],
    ],
    check: ({ path }) =>
      /(^|\/)(utils?|common|lib|helpers?|misc)(\/|\.ts$)/.test(path) ? [`${path} is a drawer`] : [],
  },
];

/** Who may import the wiring. */
const mayWire = /^(server\/(main|index|start)\.ts|server\/testing\/|bench\/)/;

const sqlText =
  /\b(select\s+[\w\s"*.,()$:{}]+\sfrom\s+["\w$]|insert\s+into\s+["\w$]|update\s+["\w${}.]+\s+set\s|delete\s+from\s+["\w$]|(create|alter|drop)\s+(table|index|type|schema|publication|database|role|extension)\s)/i;

// ---------------------------------------------------------------------------------------------------------------

function rowOf(path: string): Row | undefined {
  return table.filter(({ from }) => within(path, from)).toSorted((a, b) => b.from.length - a.from.length)[0];
}

function within(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function matches(target: string, entry: string | RegExp): boolean {
  return typeof entry === "string" ? within(target, entry) : entry.test(target);
}

function sameFace(path: string, target: string): boolean {
  const face = faces.exec(target)?.[1];
  return face !== undefined && face !== "server" && within(path, face);
}

/** Our own packages by name. */
const packages: { readonly [name: string]: string } = {
  "@baasix/types": "sdk/protocol",
  "@baasix/sdk": "sdk",
  "@baasix/react": "react",
  "@baasix/server": "server",
  baasix: "cli",
};

/** `import`/`export … from` at the start of a line (as the formatter writes them), and calls of `import` and `require`. */
const statement =
  /^(?:import\s+(type\s+)?((?:[\w$\s{},*]*[\s}*])?from\s+)?|export\s+(type\s+)?((?:\*|\{)[\w$\s{},*]*from\s+))["']([^"'\n]+)["']/gm;
const call = /\b(?:import|require)\(\s*["']([^"'\n]+)["']\s*[,)]/g;

function scan(path: string, source: string): readonly Import[] {
  const uncommented = source.replace(/^\s*(\/\/|\/?\*).*$/gm, "");
  return [
    ...uncommented.matchAll(statement).map(([, type, clause, exportType, exportClause, name]) => ({
      target: resolve(path, name ?? ""),
      typeOnly: (type ?? exportType) !== undefined || everyNameIsType(clause ?? exportClause),
    })),
    ...uncommented.matchAll(call).map(([, name]) => ({ target: resolve(path, name ?? ""), typeOnly: false })),
  ];
}

function everyNameIsType(clause: string | undefined): boolean {
  const names = /^\{([^}]*)\}\s*from\s+$/.exec(clause ?? "")?.[1]?.split(",") ?? [];
  const given = names.map((name) => name.trim()).filter((name) => name !== "");
  return given.length > 0 && given.every((name) => name.startsWith("type "));
}

function resolve(path: string, name: string): string {
  if (name.startsWith(".")) return withIndex(normalize(join(dirname(path), name)));
  const owner = Object.keys(packages).find((known) => within(name, known));
  return owner === undefined ? name : withIndex(`${packages[owner]}${name.slice(owner.length)}`);
}

function withIndex(path: string): string {
  if (/\.\w+$/.test(path) && !/\.(test|d)$/.test(path)) return path;
  if (tree.has(`${path}.ts`)) return `${path}.ts`;
  if (tree.has(`${path}.tsx`)) return `${path}.tsx`;
  // A planted example names files that are not there; a folder is known by its depth.
  return tree.has(`${path}/index.ts`) || faces.exec(`${path}/`)?.[1] === path
    ? `${path}/index.ts`
    : `${path}.ts`;
}

function read(path: string, source: string): File {
  const loader = path.endsWith("x") ? "tsx" : "ts";
  const code = new Bun.Transpiler({ loader, target: "bun" }).transformSync(source);
  return { path, source, code, imports: scan(path, source) };
}

const folders = ["server", "sdk", "react", "cli", "examples", "bench", "tasks"];
const tree: ReadonlySet<string> = new Set(
  folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name)))
      .filter((path) => !/(^|\/)(node_modules|dist|bundle)\//.test(path)),
  ),
);
const files = [...tree].filter((path) => /\.tsx?$/.test(path)).toSorted();
const inTests = (path: string) =>
  /\.(test|test-d)\.tsx?$|\.d\.ts$|\/(testing|e2e|typegen-case)\/|\/suite\.ts$|-cases?\.ts$/.test(path);
const house = files
  .filter((path) => !inTests(path))
  .map((path) => read(path, readFileSync(join(root, path), "utf8")));

describe("the house", () => {
  test.each(rules)("$name", ({ check }) => {
    expect(house.flatMap(check)).toEqual([]);
  });

  test.each(
    rules.flatMap((rule) => rule.planted.map(([path, source]) => ({ name: rule.name, path, source, rule }))),
  )("a breach is seen: $name: $source in $path", ({ path, source, rule }) => {
    expect(rule.check(read(path, source))).not.toEqual([]);
  });

  test("features do not import each other in a circle", () => {
    expect(circles(siblings(house))).toEqual([]);
    const planted = [
      read("server/features/a/x.ts", `import { b } from "../b";`),
      read("server/features/b/x.ts", `import type { c } from "../c";`),
      read("server/features/c/x.ts", `import { a } from "../a";`),
    ];
    expect(circles(siblings(planted))).toEqual(["a -> b -> c -> a"]);
  });
});

describe("the scan of imports", () => {
  test.each([
    [`import { a } from "./b";`, ["server/data/b.ts"], false],
    [`import type { a } from "./b";`, ["server/data/b.ts"], true],
    [`import { type a, type b } from "./b";`, ["server/data/b.ts"], true],
    [`import { type a, b } from "./b";`, ["server/data/b.ts"], false],
    [`import {\n  a,\n  b,\n} from "../http";`, ["server/http/index.ts"], false],
    [`import a, * as b from "x/y";`, ["x/y"], false],
    [`import "./side";`, ["server/data/side.ts"], false],
    [`import data from "./a.json" with { type: "json" };`, ["server/data/a.json"], false],
    [`export * from "./b";`, ["server/data/b.ts"], false],
    [`export { a } from '@baasix/types';`, ["sdk/protocol/index.ts"], false],
    [`export type { a } from "@baasix/sdk";`, ["sdk/index.ts"], true],
    [`  const a = await import("elysia");`, ["elysia"], false],
    [`const sharp = require("sharp") as typeof Sharp;`, ["sharp"], false],
    [`type A = import("pg").Client;`, ["pg"], false],
    ["export const remove = 'DELETE FROM \"posts\"';", [], false],
    ['export const remove = `DELETE\n FROM "posts"`;', [], false],
    [` * import { a } from "./comment";\n// import "x";\nexport const from = "no";`, [], false],
  ] as const)("%s", (source, targets, typeOnly) => {
    const found = scan("server/data/x.ts", source);
    expect(found.map(({ target }) => target)).toEqual([...targets]);
    for (const entry of found) expect(entry.typeOnly).toBe(typeOnly);
  });

  test("finds every import that Bun's own parser finds in the tree", () => {
    const missed = house.flatMap(({ path, source, imports }) =>
      new Bun.Transpiler({ loader: path.endsWith("x") ? "tsx" : "ts" })
        .scanImports(source)
        .map((entry) => resolve(path, entry.path))
        .filter(
          // JSX asks for react without a word.
          (target) =>
            !(path.endsWith("x") && /^react(\/|$)/.test(target)) &&
            !imports.some((entry) => entry.target === target),
        )
        .map((target) => `${path}: ${target}`),
    );
    expect(missed).toEqual([]);
  });
});

function siblings(some: readonly File[]): ReadonlyMap<string, ReadonlySet<string>> {
  const graph = new Map<string, Set<string>>();
  for (const { path, imports } of some) {
    const from = featureOf(path);
    if (from === undefined) continue;
    const to = imports
      .map(({ target }) => featureOf(target))
      .filter((name) => name !== undefined && name !== from);
    graph.set(from, new Set([...(graph.get(from) ?? []), ...(to as string[])]));
  }
  return graph;
}

function featureOf(path: string): string | undefined {
  return /^server\/features\/([^/]+)\//.exec(path)?.[1];
}

function circles(graph: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] {
  const found = new Set<string>();
  const walk = (node: string, trail: readonly string[]) => {
    if (trail[0] === node) return void found.add([...trail, node].join(" -> "));
    // Each circle is told once, from its first name in the alphabet.
    if (trail.includes(node) || (trail[0] !== undefined && node < trail[0])) return;
    for (const next of graph.get(node) ?? []) walk(next, [...trail, node]);
  };
  for (const node of graph.keys()) walk(node, []);
  return [...found];
}
