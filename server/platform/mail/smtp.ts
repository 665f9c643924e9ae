/** The driver over SMTP (RFC 5321): kept connections, TLS, DKIM, and a bound on every wait. */
import { createPrivateKey } from "node:crypto";
import type * as Nodemailer from "nodemailer";
import { AppError } from "../../core/errors";
import { checkMessage, type Mailer, MailError, messageIdOf } from "./mailer";

/**
 * A mail server. `secure`: `tls` from the first byte, `starttls` before anything is told (and not at all without it), `none`
 * in the clear. `ca`: certificates (PEM) to trust instead of the system's.
 */
export type SmtpSettings = {
  readonly host: string;
  readonly port: number;
  readonly secure: "tls" | "starttls" | "none";
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly ca?: string | undefined;
  readonly dkim?: DkimSettings | undefined;
};

/** A key that signs mails (RFC 6376): its public half stands in the DNS as `<selector>._domainkey.<domain>`. */
export type DkimSettings = {
  readonly domain: string;
  readonly selector: string;
  readonly privateKey: string;
};

/** How many connections stand at once; as many mails go at the same time. */
export const smtpConnections = 5;

/** Longest waits, in ms: for a connection, for the server's first word, and for each that follows. */
export type SmtpTimeouts = {
  readonly connection: number;
  readonly greeting: number;
  readonly answer: number;
};

const longestWaits: SmtpTimeouts = { connection: 10_000, greeting: 10_000, answer: 30_000 };

/** Opens the way to a mail server; nothing is connected before the first mail. @throws AppError INVALID_VALUE */
export function createSmtpMailer(settings: SmtpSettings, timeouts: SmtpTimeouts = longestWaits): Mailer {
  if (settings.dkim) checkKey(settings.dkim.privateKey);
  // Loaded with the first mail: a start need not wait for it (40 ms from source).
  let opened: Transport | null = null;
  const transport = (): Transport => (opened ??= openTransport(settings, timeouts));
  return {
    description: `SMTP at ${settings.host}:${settings.port}`,
    send: async (message, signal) => {
      checkMessage(message);
      const { from, to, subject, html, text } = message;
      if (from === null) throw new MailError("unreachable", "there is no address to send from");
      const messageId = messageIdOf(message);
      try {
        const { response } = await transport().sendMail({
          messageId,
          from: { name: from.name ?? "", address: from.address },
          to: { name: to.name ?? "", address: to.address },
          envelope: { from: from.address, to: [to.address] },
          subject,
          html,
          text,
          // So that nothing answers by itself, as holiday notices do (RFC 3834).
          headers: { "Auto-Submitted": "auto-generated" },
          disableFileAccess: true,
          disableUrlAccess: true,
          ...(signal && { signal }),
        });
        return { messageId, answer: response };
      } catch (error) {
        throw toMailError(error);
      }
    },
    verify: async () => {
      try {
        await transport().verify();
      } catch (error) {
        throw toMailError(error);
      }
    },
    close: async () => opened?.close({ force: true }),
  };
}

type Transport = ReturnType<typeof openTransport>;

function openTransport(settings: SmtpSettings, timeouts: SmtpTimeouts) {
  const { createTransport } = require("nodemailer") as typeof Nodemailer;
  return createTransport({ ...poolOptions(settings), ...waits(timeouts), pool: true as const });
}

function poolOptions({
  host,
  port,
  secure,
  user,
  password,
  ca,
  dkim,
}: SmtpSettings): Nodemailer.SMTPPoolOptions {
  return {
    host,
    port,
    secure: secure === "tls",
    requireTLS: secure === "starttls",
    ignoreTLS: secure === "none",
    ...(user !== undefined && { auth: { user, pass: password ?? "" } }),
    tls: { minVersion: "TLSv1.2", ...(ca !== undefined && { ca }) },
    maxConnections: smtpConnections,
    // A connection that the server closed while it was idle is seen when it is used: that mail goes by another one.
    maxRequeues: 1,
    idleTimeout: 30_000,
    // The outbox says what becomes of a mail; the library's own log would tell addresses and answers.
    logger: false,
    ...(dkim && {
      dkim: { domainName: dkim.domain, keySelector: dkim.selector, privateKey: dkim.privateKey },
    }),
  };
}

function waits({ connection, greeting, answer }: SmtpTimeouts): Nodemailer.SMTPPoolOptions {
  return {
    dnsTimeout: connection,
    connectionTimeout: connection,
    greetingTimeout: greeting,
    socketTimeout: answer,
  };
}

function checkKey(privateKey: string): void {
  try {
    createPrivateKey(privateKey);
  } catch {
    throw new AppError("INVALID_VALUE", "DKIM_PRIVATE_KEY: is no private key that can be read");
  }
}

/** What nodemailer tells of a failure. */
type SmtpFailure = { readonly responseCode?: number; readonly command?: string; readonly code?: string };

/**
 * RFC 5321, 4.2.1: an answer 5yz is final, 4yz is for now. Final for the mail only where it is about the recipient or the
 * content; a refused login or sender is the operator's to mend, and then the mail goes.
 */
function toMailError(error: unknown): MailError {
  const { responseCode = 0, command = "", code } = error as SmtpFailure;
  const message = error instanceof Error ? error.message : String(error);
  const aboutMail = command === "RCPT TO" || command === "DATA";
  const options = { cause: error };
  if (aboutMail && responseCode >= 500) return new MailError("refused", message, options);
  if (aboutMail && responseCode > 0) return new MailError("later", message, options);
  return new MailError("unreachable", code === undefined ? message : `${code}: ${message}`, options);
}
