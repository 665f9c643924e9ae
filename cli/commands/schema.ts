/** `baasix schema export|diff|apply`: the whole model (collections, roles, permissions) as a file, and back. */
import type { Baasix } from "@baasix/sdk";
import type { SchemaExport, SchemaImportPreview } from "@baasix/types";
import { loginOptions, withClient } from "../api";
import { type Command, CommandError, type Invocation, UsageError, printResult, textOption } from "../command";
import {
  compareRoles,
  describePlan,
  describePreview,
  modelOf,
  type Model,
  readModel,
  type RoleDifference,
} from "../model-file";

/** Exit codes beside 0 and 1. */
const needsConfirmation = 3;
const differs = 4;

/** A change of a large table may take long, in ms. */
const patience = 600_000;

export const schema: Command = {
  name: "schema",
  summary: "export, compare and apply the whole model",
  examples: [
    "baasix schema export -o schema.json",
    "baasix schema diff schema.json",
    "baasix schema apply schema.json",
  ],
  commands: [
    {
      name: "export",
      summary: "write the model of a server to a file",
      options: [
        { flags: "-o, --output <file>", description: "file to write, - for stdout (default -)" },
        ...loginOptions,
      ],
      examples: ["baasix schema export --email you@example.com --password '…' -o schema.json"],
      run: exportModel,
    },
    {
      name: "diff",
      summary: "tell how a server differs from a file; exit 4 when it does",
      arguments: [{ name: "<file>", description: "what `schema export` wrote" }],
      options: loginOptions,
      examples: ["baasix schema diff schema.json"],
      run: diffModel,
    },
    {
      name: "apply",
      summary: "make a server what a file says",
      arguments: [{ name: "<file>", description: "what `schema export` wrote" }],
      options: [
        { flags: "--dry-run", description: "tell what would be done, and do nothing" },
        { flags: "--yes", description: "do not ask" },
        { flags: "--force", description: "accept that data is lost" },
        { flags: "--prune", description: "delete collections and fields that are not in the file" },
        ...loginOptions,
      ],
      examples: ["baasix schema apply schema.json --dry-run", "baasix schema apply schema.json --yes"],
      run: applyModel,
    },
  ],
};

async function exportModel(invocation: Invocation): Promise<number> {
  const file = textOption(invocation, "output") ?? "-";
  const model = await withClient(invocation, readServer);
  const text = `${JSON.stringify(model, null, 2)}\n`;
  if (file === "-") {
    invocation.terminal.document(text);
    return 0;
  }
  try {
    await Bun.write(file, text);
  } catch (error) {
    throw new CommandError(
      `cannot write ${file} (${error instanceof Error ? error.message : String(error)})`,
    );
  }
  const [collections, roles] = [model.schemas.length, model.roles.length];
  printResult(invocation, { file, collections, roles }, [
    `Wrote ${file} (${collections} collections, ${roles} roles)`,
  ]);
  return 0;
}

async function readServer(client: Baasix): Promise<Model> {
  return modelOf(await client.schemas.export(), await client.permissions.export());
}

async function diffModel(invocation: Invocation): Promise<number> {
  const model = await readFile(invocation);
  const { preview, roles } = await withClient(invocation, (client) => compare(client, model, true));
  const { changes } = preview;
  const lines = [...describePreview(preview), ...roles.map(({ text }) => text)];
  const isSame = lines.length === 0;
  printResult(invocation, { same: isSame, changes, roles: roles.map(withoutText) }, [
    ...lines,
    ...(isSame ? ["The server is what the file says"] : []),
  ]);
  return isSame ? 0 : differs;
}

function withoutText({ text: _text, ...difference }: RoleDifference): Omit<RoleDifference, "text"> {
  return difference;
}

type Compared = { readonly preview: SchemaImportPreview; readonly roles: readonly RoleDifference[] };

async function compare(client: Baasix, model: Model, prune: boolean): Promise<Compared> {
  const preview = await client.schemas.previewImport(documentOf(model), {
    prune: prune && model.schemas.length > 0,
  });
  const { roles } = await client.permissions.export();
  return { preview, roles: compareRoles(model.roles, roles) };
}

function documentOf({ version, schemas }: Model): SchemaExport {
  return { version, schemas };
}

async function applyModel(invocation: Invocation): Promise<number> {
  const model = await readFile(invocation);
  const { options, terminal } = invocation;
  const [prune, force] = [options.prune === true, options.force === true];
  return await withClient(
    invocation,
    async (client) => {
      const { preview, roles } = await compare(client, model, prune);
      const lines = [...describePlan(preview.plan), ...roles.map(({ text }) => text)];
      const report = (applied: boolean, more: readonly string[]): void =>
        printResult(invocation, { applied, plan: preview.plan, roles: roles.map(withoutText) }, more);
      if (lines.length === 0) {
        report(false, ["Nothing to do: the server is what the file says"]);
        return 0;
      }
      if (options.dryRun === true) {
        report(false, lines);
        return 0;
      }
      const json = options.json === true;
      if (!json) for (const line of lines) terminal.result(line);
      if (preview.plan.some(({ loses }) => loses !== undefined) && !force)
        throw new CommandError("data would be lost; repeat it with --force to accept that");
      if (options.yes !== true) {
        if (!terminal.interactive || json) {
          terminal.talk("baasix: this changes the server; repeat it with --yes");
          if (json) report(false, []);
          return needsConfirmation;
        }
        if (!(await terminal.confirm("Apply this? [y/N] "))) {
          terminal.talk("baasix: nothing was changed");
          return 1;
        }
      }
      await carryOut(client, model, { prune, force });
      report(true, ["Applied"]);
      return 0;
    },
    patience,
  );
}

async function carryOut(
  client: Baasix,
  model: Model,
  options: { readonly prune: boolean; readonly force: boolean },
): Promise<void> {
  if (model.schemas.length > 0) await client.schemas.import(documentOf(model), options);
  if (model.roles.length === 0) return;
  const { version, roles } = model;
  try {
    await client.permissions.import({ version, timestamp: new Date().toISOString(), roles });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(`the collections were applied, the roles were not: ${reason}`);
  }
}

async function readFile(invocation: Invocation): Promise<Model> {
  const [file = ""] = invocation.args;
  let text: string;
  try {
    text = await Bun.file(file).text();
  } catch (error) {
    throw new UsageError(`cannot read ${file} (${error instanceof Error ? error.message : String(error)})`);
  }
  return readModel(file, text);
}
