/** A new password from whoever runs a command: piped in, or typed twice. */
import { type Invocation, UsageError } from "../command";

/** Asks for it. @throws UsageError when nobody can be asked, or the two differ */
export async function newPassword({ options, terminal }: Invocation): Promise<string> {
  if (options.passwordStdin === true) return await terminal.readLine();
  if (!terminal.interactive)
    throw new UsageError("a password is needed: as second argument, or with --password-stdin");
  const [password, again] = await terminal.askSecrets(["Password: ", "Again: "]);
  if (password === undefined || password !== again) throw new UsageError("the two passwords differ");
  return password;
}
