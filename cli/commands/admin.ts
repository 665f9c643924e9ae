/** `baasix admin …`: makes and lists administrators, straight in the database (a server may run beside it or not). */
import {
  type Command,
  type CommandOption,
  type Environment,
  type Invocation,
  UsageError,
  printResult,
  textOption,
} from "../command";
import type { openParts } from "@baasix/server";
import { withFlags } from "../environment";

const shared: readonly CommandOption[] = [
  {
    flags: "--dir <folder>",
    description: "data directory (BAASIX_DIR; default ./baasix_data); not used with DATABASE_URL",
  },
  { flags: "--json", description: "print one JSON document" },
];
const account = {
  arguments: [
    { name: "<email>", description: "mail address of the account" },
    { name: "[password]", description: "its password; asked for when left out" },
  ],
  options: [{ flags: "--password-stdin", description: "read the password from stdin" }, ...shared],
};

export const admin: Command = {
  name: "admin",
  summary: "make and list administrators",
  examples: ["baasix admin create you@example.com"],
  commands: [
    {
      name: "create",
      summary: "make an administrator; fails when the account exists",
      ...account,
      examples: [
        "baasix admin create you@example.com",
        'echo "$PASSWORD" | baasix admin create you@example.com --password-stdin',
      ],
      run: async (invocation) => {
        const { email, password } = await credentials(invocation);
        const { id } = await withAdmins(invocation, (admins) => admins.create(email, password));
        printResult(invocation, { id, email, created: true }, [`Created administrator ${email}`]);
        return 0;
      },
    },
    {
      name: "upsert",
      summary: "make an administrator, or give an existing account the password and the role",
      ...account,
      examples: ["baasix admin upsert you@example.com"],
      run: async (invocation) => {
        const { email, password } = await credentials(invocation);
        const { id, created } = await withAdmins(invocation, (admins) => admins.upsert(email, password));
        printResult(invocation, { id, email, created }, [
          `${created ? "Created" : "Updated"} administrator ${email}`,
        ]);
        return 0;
      },
    },
    {
      name: "list",
      summary: "list the administrators",
      options: shared,
      examples: ["baasix admin list --json"],
      run: async (invocation) => {
        const admins = await withAdmins(invocation, (accounts) => accounts.list());
        printResult(
          invocation,
          { data: admins },
          admins.map(({ id, email }) => `${id}  ${email}`),
        );
        if (admins.length === 0 && invocation.options.json !== true)
          invocation.terminal.talk("No administrator yet.");
        return 0;
      },
    },
  ],
};

async function credentials(
  invocation: Invocation,
): Promise<{ readonly email: string; readonly password: string }> {
  const [email, given] = invocation.args;
  if (!email || !/^[^\s@]+@[^\s@]+$/.test(email))
    throw new UsageError(`'${email ?? ""}' is not a mail address`);
  return { email, password: given ?? (await readPassword(invocation)) };
}

async function readPassword({ options, terminal }: Invocation): Promise<string> {
  if (options.passwordStdin === true) return await terminal.readLine();
  if (!terminal.interactive)
    throw new UsageError("a password is needed: as second argument, or with --password-stdin");
  const [password, again] = await terminal.askSecrets(["Password: ", "Again: "]);
  if (password === undefined || password !== again) throw new UsageError("the two passwords differ");
  return password;
}

/** The part of the server that these commands need. */
type Admins = Awaited<ReturnType<typeof openParts>>["admin"];

async function withAdmins<T>(invocation: Invocation, work: (admins: Admins) => Promise<T>): Promise<T> {
  const server = await import("@baasix/server");
  const env: Environment = withFlags(invocation.env, { BAASIX_DIR: textOption(invocation, "dir") });
  const parts = await server.openParts(server.readConfig(env));
  try {
    return await work(parts.admin);
  } finally {
    await parts.close();
  }
}
