/** Sending one mail: what every driver does, and what it refuses whoever asks. Knows nothing of templates or rows. */
import { AppError } from "../../core/errors";

/** A mail address (RFC 5322 addr-spec) and the name that is shown with it. */
export type Address = { readonly address: string; readonly name?: string };

/**
 * A mail that is ready to go, to one recipient. `id` is the same whenever this mail is sent again: a receiver that gets it
 * twice can tell by the `Message-ID`, which is made of it. `from`: null where no address is configured (MAIL_FROM).
 */
export type MailMessage = {
  readonly id: string;
  readonly type: string;
  readonly from: Address | null;
  readonly to: Address;
  readonly subject: string;
  readonly html: string;
  readonly text: string;
};

/** A mail that was taken over. `messageId` with its angle brackets; `answer`: what the receiving server said, if anything. */
export type Sent = { readonly messageId: string; readonly answer: string };

/** Sends mails one way. */
export type Mailer = {
  /** One phrase for a log or a terminal: where mails go, never a password. */
  readonly description: string;
  /** Hands a mail over. An aborted `signal` gives it up. @throws MailError, AppError INVALID_VALUE */
  readonly send: (message: MailMessage, signal?: AbortSignal) => Promise<Sent>;
  /** Tries the way without sending. @throws MailError */
  readonly verify: () => Promise<void>;
  /** Gives up what is under way and frees what is held. */
  readonly close: () => Promise<void>;
};

/** What stands in the way: this mail for ever, this mail for now, or the way itself (then others need not be tried). */
export type MailFault = "refused" | "later" | "unreachable";

/** A mail that did not go. The message is for the operator. */
export class MailError extends Error {
  override readonly name = "MailError";
  readonly fault: MailFault;

  constructor(fault: MailFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

/** The `Message-ID` (RFC 5322, 3.6.4) of a mail. */
export function messageIdOf({ id, from }: MailMessage): string {
  return `<${id}@${from?.address.split("@").at(-1) ?? "localhost"}>`;
}

// oxlint-disable-next-line no-control-regex -- what could end a header and begin another one
const control = /[\u0000-\u001f\u007f\u0085\u2028\u2029]/;
const addressShape = /^[^\s@<>,;:"()[\]\\]{1,64}@[^\s@<>,;:"()[\]\\]{1,253}$/u;

/**
 * Refuses what could write a header of its own, or add a recipient: line breaks and other control characters in the subject,
 * names and addresses, and more than one address in the place of one.
 * @throws AppError INVALID_VALUE
 */
export function checkMessage({ from, to, subject }: MailMessage): void {
  if (control.test(subject)) throw refused("subject", "must be one line");
  if (subject.length > 998) throw refused("subject", "must have at most 998 characters");
  checkAddress("to", to);
  if (from !== null) checkAddress("from", from);
}

function checkAddress(place: string, { address, name = "" }: Address): void {
  if (!addressShape.test(address) || control.test(address)) throw refused(place, "must be one mail address");
  if (control.test(name)) throw refused(place, "the name must be one line");
}

function refused(place: string, what: string): AppError {
  return new AppError("INVALID_VALUE", `mail.${place}: ${what}`);
}
