/** Mails as other features see them: written with the change that causes them, sent after its commit. */
import { AppError } from "../../core/errors";
import type { Data, Rows } from "../../data";
import type { Logger } from "../../http";
import type { Address, Mailer } from "../../platform/mail";
import { createMailLimits, type MailLimits } from "./limits";
import { collection, type NewMail, removeOldMails, writeMail } from "./outbox";
import { createRenderer } from "./render";
import { createSeal, type SealKeys } from "./seal";
import { checkTemplates } from "./template";
import type { Branding, MailType } from "./types";
import { createWorker } from "./worker";

/**
 * What it needs. `mailer` null: there is no way to send, and every mail is refused. `keys` seal waiting mails: 32 bytes
 * each, the same for all instances. `branding`: of a tenant, or (null) of the installation. `now` in ms since 1970.
 */
export type MailParts = {
  readonly data: Data;
  readonly mailer: Mailer | null;
  readonly from: Address | null;
  readonly keys: SealKeys;
  readonly branding: (tenant: string | null) => Promise<Branding>;
  readonly logger: Logger;
  readonly now: () => number;
};

export type Mail = {
  /**
   * Writes a mail into the outbox through the rows of the caller's transaction; it is sent after the commit, and not at all
   * without it. Gives its id. Retried for a day, or until `until`.
   * @throws AppError MAIL_NOT_CONFIGURED, INVALID_VALUE
   */
  readonly queue: <Type extends MailType>(rows: Rows, mail: NewMail<Type>) => Promise<string>;
  /** Refuses where `queue` would refuse whatever the mail is: asked before there is one. @throws AppError MAIL_NOT_CONFIGURED */
  readonly requireWay: () => void;
  /** For mails that strangers can cause: asked before anything is looked up. */
  readonly limits: MailLimits;
  /** Sends all that is due now. The server does so by itself; for tests and programs that end. */
  readonly run: () => Promise<void>;
  /** Deletes entries of the log that are older than `days`, but for mails that wait. */
  readonly removeOld: (days: number | "forever") => Promise<number>;
  /** Ends: mails that are being sent have `bound` ms (10 s) to go, all others wait for the next start. */
  readonly close: (bound?: number) => Promise<void>;
};

/** Puts it together. The caller closes it before the database. */
export function createMail({ data, mailer, from, keys, branding, logger, now }: MailParts): Mail {
  const renderer = createRenderer();
  const seal = createSeal(keys);
  data.beforeWrite((write) => checkTemplates(renderer, write));
  const worker = mailer && createWorker({ data, mailer, from, seal, renderer, branding, logger, now });
  data.onWrite(({ collection: written, action }) => {
    if (written === collection && action === "create") worker?.wake();
  });
  const requireWay = (): void => {
    if (mailer !== null) return;
    throw new AppError(
      "MAIL_NOT_CONFIGURED",
      "This server cannot send mails: SMTP_HOST or SMTP_URL is not set",
    );
  };
  return {
    queue: async (rows, mail) => {
      requireWay();
      return writeMail(rows, seal, mail, now());
    },
    requireWay,
    limits: createMailLimits(now),
    run: async () => worker?.run(),
    removeOld: (days) => removeOldMails(data, now(), days),
    close: async (bound) => worker?.close(bound),
  };
}
