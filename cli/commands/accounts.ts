/** `baasix admin users`, `suspend`, `link` …: accounts of all kinds, straight in the database, beside a server or without one. */
import type { AdminLinkType } from "@baasix/types";
import type { Parts } from "@baasix/server";
import {
  type Command,
  type CommandOption,
  type Environment,
  type Invocation,
  printResult,
  textOption,
  UsageError,
} from "../command";
import { withFlags } from "../environment";
import { newPassword } from "./new-password";

/** What commands on the database share. */
export const databaseOptions: readonly CommandOption[] = [
  {
    flags: "--dir <folder>",
    description: "data directory (BAASIX_DIR; default ./baasix_data); not used with DATABASE_URL",
  },
  { flags: "--json", description: "print one JSON document" },
];

const email = { name: "<email>", description: "mail address of the account" };
const states = ["active", "inactive", "suspended", "pending", "deleted"] as const;
const kinds = [
  "magic-link",
  "password-reset",
  "email-verification",
  "invite",
] as const satisfies readonly AdminLinkType[];

/** Opens the database for the work, and closes it. */
export async function withParts<T>(invocation: Invocation, work: (parts: Parts) => Promise<T>): Promise<T> {
  const server = await import("@baasix/server");
  const env: Environment = withFlags(invocation.env, { BAASIX_DIR: textOption(invocation, "dir") });
  const parts = await server.openParts(server.readConfig(env));
  try {
    return await work(parts);
  } finally {
    await parts.close();
  }
}

/** A mail address of the arguments. @throws UsageError */
export function addressOf({ args: [address] }: Invocation): string {
  if (!address || !/^[^\s@]+@[^\s@]+$/.test(address))
    throw new UsageError(`'${address ?? ""}' is not a mail address`);
  return address;
}

/** A command that does one thing to one account. */
function toAccount(
  name: string,
  summary: string,
  done: string,
  work: (users: Parts["users"], address: string) => Promise<string>,
): Command {
  return {
    name,
    summary,
    arguments: [email],
    options: databaseOptions,
    examples: [`baasix admin ${name} ann@example.com`],
    run: async (invocation) => {
      const address = addressOf(invocation);
      const id = await withParts(invocation, ({ users }) => work(users, address));
      printResult(invocation, { id, email: address }, [`${done} ${address}`]);
      return 0;
    },
  };
}

/** The commands. */
export const accountCommands: readonly Command[] = [
  {
    name: "users",
    summary: "list all accounts, with their roles",
    options: [
      { flags: "--status <state>", description: `only those that are ${states.join(", ")}` },
      ...databaseOptions,
    ],
    examples: ["baasix admin users", "baasix admin users --status suspended --json"],
    run: async (invocation) => {
      const status = choice(states, textOption(invocation, "status"), "--status");
      const found = await withParts(invocation, async ({ users }) => {
        const all = [];
        for await (const batch of users.list(status)) all.push(...batch);
        return all;
      });
      printResult(
        invocation,
        { data: found },
        found.map((user) => {
          const roles = user.roles.map(({ name, tenant }) => (tenant === null ? name : `${name}@${tenant}`));
          return `${user.id}  ${user.email}  ${user.status}  ${roles.join(", ") || "no role"}`;
        }),
      );
      return 0;
    },
  },
  toAccount("suspend", "lock an account out; its sessions end", "Suspended", (users, address) =>
    users.suspend(address),
  ),
  toAccount("activate", "let an account in again", "Activated", (users, address) => users.activate(address)),
  toAccount("confirm", "say that a mail address is its account's", "Confirmed", (users, address) =>
    users.confirm(address),
  ),
  toAccount(
    "remove",
    "delete an account with its sessions and roles; what it wrote stays",
    "Removed",
    (users, address) => users.remove(address),
  ),
  {
    name: "password",
    summary: "give an account another password; its sessions end",
    arguments: [email, { name: "[password]", description: "the new one; asked for when left out" }],
    options: [{ flags: "--password-stdin", description: "read the password from stdin" }, ...databaseOptions],
    examples: ["baasix admin password ann@example.com"],
    run: async (invocation) => {
      const address = addressOf(invocation);
      const password = invocation.args[1] ?? (await newPassword(invocation));
      const id = await withParts(invocation, ({ users }) => users.setPassword(address, password));
      printResult(invocation, { id, email: address }, [`Changed the password of ${address}`]);
      return 0;
    },
  },
  {
    name: "link",
    summary: "make a link of a mail to hand it over; nothing is mailed",
    arguments: [{ name: "<kind>", description: kinds.join(", ") }, email],
    options: [
      { flags: "--role <name>", description: "of an invitation: the role that it gives" },
      { flags: "--tenant <name>", description: "of an invitation: where it gives the role (name or id)" },
      { flags: "--link <address>", description: "where it leads, of AUTH_APP_URL (the first one)" },
      ...databaseOptions,
    ],
    examples: [
      "baasix admin link password-reset ann@example.com",
      "baasix admin link invite bob@example.com --role user",
    ],
    run: async (invocation) => {
      const [kind] = invocation.args;
      const type = choice(kinds, kind, "kind");
      if (type === undefined) throw new UsageError(`kind must be one of ${kinds.join(", ")}`);
      const input = {
        type,
        email: addressOf({ ...invocation, args: invocation.args.slice(1) }),
        link: textOption(invocation, "link"),
        role: textOption(invocation, "role"),
        tenant: textOption(invocation, "tenant"),
      };
      const made = await withParts(invocation, ({ users }) => users.link(input));
      printResult(invocation, made, [made.url]);
      if (invocation.options.json !== true) invocation.terminal.talk(`It holds until ${made.expiresAt}.`);
      return 0;
    },
  },
];

/** One of some words. @throws UsageError */
function choice<Word extends string>(
  words: readonly Word[],
  given: string | undefined,
  what: string,
): Word | undefined {
  const word = words.find((one) => one === given);
  if (given !== undefined && word === undefined)
    throw new UsageError(`${what} must be one of ${words.join(", ")}`);
  return word;
}
