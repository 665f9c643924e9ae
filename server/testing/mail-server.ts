/** A real mail server on the loopback address for tests: it takes mails, or answers what the test says. */
import { type AddressObject, type ParsedMail, simpleParser } from "mailparser";
import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from "smtp-server";

/** A mail as it was delivered: the bytes, what they say, and whom the envelope named. */
export type Delivered = {
  readonly raw: Buffer;
  readonly mail: ParsedMail;
  readonly from: string;
  readonly to: readonly string[];
  /** Whether it came over TLS. */
  readonly secure: boolean;
};

/** What the server answers at a stage in place of taking the mail, such as `{ code: 550, text: "no such user" }`. */
export type Answer = { readonly code: number; readonly text: string };

export type MailServerOptions = {
  /** `tls` from the first byte, `starttls` offered, or none. */
  readonly secure?: "tls" | "starttls" | "none";
  readonly login?: { readonly user: string; readonly password: string };
  readonly port?: number;
};

export type MailServer = Awaited<ReturnType<typeof openMailServer>>;

/** Starts one. `close` it when done. */
export async function openMailServer({ secure = "none", login, port = 0 }: MailServerOptions = {}) {
  const delivered: Delivered[] = [];
  const answers: Record<"rcpt" | "data", ((to: string) => Answer | null) | null> = { rcpt: null, data: null };
  let held: Promise<void> | null = null;
  let reached = Promise.withResolvers<void>();
  let wake = Promise.withResolvers<void>();
  let connections = 0;
  /** Gives the answer to a mail whose content has come. */
  const take = async (raw: Buffer, { envelope, secure: overTls }: SMTPServerSession) => {
    reached.resolve();
    await held;
    const to = envelope.rcptTo.map(({ address }) => address);
    const refused = failure(answers.data?.(to[0] ?? ""));
    if (refused) return { refused };
    const from = envelope.mailFrom ? envelope.mailFrom.address : "";
    delivered.push({ raw, mail: await simpleParser(raw), from, to, secure: overTls });
    wake.resolve();
    return { refused: null, text: "taken" };
  };
  const options: SMTPServerOptions = {
    key: localKey,
    cert: localCertificate,
    secure: secure === "tls",
    disabledCommands: [...(secure === "none" ? ["STARTTLS"] : []), ...(login ? [] : ["AUTH"])],
    authOptional: !login,
    allowInsecureAuth: true,
    disableReverseLookup: true,
    closeTimeout: 100,
    onConnect: (_session, done) => {
      connections++;
      done();
    },
    onAuth: (auth, _session, done) => {
      if (auth.username === login?.user && auth.password === login?.password)
        return done(null, { user: "x" });
      done(new Error("wrong name or password"));
    },
    onRcptTo: ({ address }, _session, done) => done(failure(answers.rcpt?.(address))),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", async () => {
        const { refused, text } = await take(Buffer.concat(chunks), session);
        done(refused, text);
      });
    },
  };
  const server = new SMTPServer(options);
  // What a client makes of a closed connection is the client's to tell.
  server.on("error", () => {});
  await new Promise<void>((resolve, reject) => {
    server.server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve());
  });
  let read = 0;
  return {
    port: (server.server.address() as { port: number }).port,
    /** How many mails `next` gave. */
    read: () => read,
    /** All mails, in the order in which they came. */
    delivered,
    connections: () => connections,
    /** The next mail, awaited. */
    next: async (): Promise<Delivered> => {
      for (;;) {
        const mail = delivered[read];
        if (mail) {
          read++;
          return mail;
        }
        wake = Promise.withResolvers();
        // oxlint-disable-next-line no-await-in-loop
        await wake.promise;
      }
    },
    /** From now on: what to answer to a recipient, and to the content. Null: takes it. */
    answers,
    /** Holds mails before they are taken. `reached`: one has come that far; `release` lets all go. */
    hold: (): { readonly reached: Promise<void>; readonly release: () => void } => {
      const gate = Promise.withResolvers<void>();
      held = gate.promise;
      reached = Promise.withResolvers();
      return {
        reached: reached.promise,
        release: () => {
          held = null;
          gate.resolve();
        },
      };
    },
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

/** The addresses of a header. */
export function addressesOf(header: AddressObject | AddressObject[] | undefined): string[] {
  return [header ?? []]
    .flat()
    .flatMap(({ value }) => value.map(({ name, address }) => `${name} <${address ?? ""}>`));
}

function failure(answer: Answer | null | undefined): (Error & { responseCode: number }) | null {
  return answer ? Object.assign(new Error(answer.text), { responseCode: answer.code }) : null;
}

/** A certificate for localhost and 127.0.0.1 that signs itself, until 2120. For tests: its key is no secret. */
export const localCertificate = `-----BEGIN CERTIFICATE-----
MIIBZjCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABBMjrxTyguMZ49ZW
tszMfaM6QkxyKfGP30C0LOABTXpMPJ9uLtZWywf1TVCqYqQCFkXfPPuT4rBUkGfI
N+qtBE6jTjBMMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAAATAPBgNVHRMBAf8E
BTADAQH/MB0GA1UdDgQWBBQYQCDbdvYIn8r0P9pHg/zvsr7sWTAKBggqhkjOPQQD
AgNHADBEAiBmdomvigqoMnmVj3NgZPJpbBmKGdx9Xw+Qf7nKKbHKAwIgBFvyVGn8
kMhOEBBo8ivoODIzKJ1NEsxqNQX6tncLOk0=
-----END CERTIFICATE-----`;

export const localKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgobUCSumfNNjCo6oi
LwCBUlm7HNeV7BPCAPAp8c7Q21ShRANCAAQTI68U8oLjGePWVrbMzH2jOkJMcinx
j99AtCzgAU16TDyfbi7WVssH9U1QqmKkAhZF3zz7k+KwVJBnyDfqrQRO
-----END PRIVATE KEY-----`;
