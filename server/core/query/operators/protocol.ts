/** The table of operators as the SDK sees it: text of a TypeScript file, so that names and types cannot drift apart. */
import { operatorTable } from "./index";

const head = `/** The filter operators. Made from the server's table by \`bun tasks/operators.ts\`: do not edit. */

/** Classes of field types that operators work on; \`any\` is every type. */
export type OperatorClass = "any" | "equality" | "order" | "text" | "list" | "json" | "range" | "geometry";

/** What each operator, by name and alias, takes and what it works on. */
export type OperatorTable = {
`;

/** The whole file, as the formatter leaves it. */
export function protocolFile(): string {
  const entries = operatorTable.flatMap((entry) =>
    [entry.name, ...entry.aliases].map((name) => {
      const alias = name === entry.name ? "" : ` (\`${entry.name}\`)`;
      const classes = entry.on === "any" ? ["any"] : [...entry.on, ...Object.keys(entry.instead ?? {})];
      const on = classes.map((kind) => `"${kind}"`).join(" | ");
      return (
        `  /** ${entry.description}${alias} */\n` +
        `  readonly ${name}: { readonly takes: "${entry.operand.kind}"; readonly on: ${on} };\n`
      );
    }),
  );
  const names = operatorTable.flatMap(({ name, aliases }) => [name, ...aliases]);
  const list = names.map((name) => `  "${name}",\n`).join("");
  return (
    `${head}${entries.join("")}};\n\n` +
    `/** Every name and alias. */\nexport type OperatorName = keyof OperatorTable;\n\n` +
    `/** Every name and alias, in the order of the documents. */\n` +
    `export const operatorNames = [\n${list}] as const satisfies readonly OperatorName[];\n`
  );
}
