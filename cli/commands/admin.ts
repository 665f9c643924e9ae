/** `baasix admin …`: makes and lists administrators, and keeps accounts, straight in the database. */
import { type Command, type Invocation, printResult } from "../command";
import { accountCommands, addressOf, databaseOptions as shared, withParts } from "./accounts";
import { newPassword } from "./new-password";

const account = {
  arguments: [
    { name: "<email>", description: "mail address of the account" },
    { name: "[password]", description: "its password; asked for when left out" },
  ],
  options: [{ flags: "--password-stdin", description: "read the password from stdin" }, ...shared],
};

export const admin: Command = {
  name: "admin",
  summary: "make administrators, and keep accounts",
  examples: ["baasix admin create you@example.com", "baasix admin users"],
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
        const { id } = await withParts(invocation, ({ admin: admins }) => admins.create(email, password));
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
        const { id, created } = await withParts(invocation, ({ admin: admins }) =>
          admins.upsert(email, password),
        );
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
        const admins = await withParts(invocation, ({ admin: accounts }) => accounts.list());
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
    ...accountCommands,
  ],
};

async function credentials(
  invocation: Invocation,
): Promise<{ readonly email: string; readonly password: string }> {
  const email = addressOf(invocation);
  return { email, password: invocation.args[1] ?? (await newPassword(invocation)) };
}
