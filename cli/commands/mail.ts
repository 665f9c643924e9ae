/** `baasix mail …`: tries the mail settings, with or without a server that runs. */
import { type Command, printResult, UsageError } from "../command";

export const mail: Command = {
  name: "mail",
  summary: "try the mail settings",
  examples: ["baasix mail test you@example.com"],
  commands: [
    {
      name: "test",
      summary: "send a mail by the settings of the environment (SMTP_HOST or SMTP_URL, MAIL_FROM)",
      arguments: [{ name: "<address>", description: "mail address to send to" }],
      options: [{ flags: "--json", description: "print one JSON document" }],
      examples: ["baasix mail test you@example.com"],
      run: async (invocation) => {
        const [address] = invocation.args;
        if (!address || !/^[^\s@]+@[^\s@]+$/.test(address))
          throw new UsageError(`'${address ?? ""}' is not a mail address`);
        const { readConfig, sendTestMail } = await import("@baasix/server");
        const answer = await sendTestMail(readConfig(invocation.env), address);
        printResult(invocation, { to: address, answer }, [`Sent to ${address} (${answer})`]);
        return 0;
      },
    },
  ],
};
