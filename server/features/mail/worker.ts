/**
 * Sends what waits in the outbox: woken by commits, and every few seconds for what is due again or what another instance left.
 * At least once: a server that dies between the sending and the note of it has a mail sent twice, with the same Message-ID.
 */
import pLimit from "p-limit";
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import type { Logger } from "../../http";
import type { Address, Mailer, MailFault, MailMessage } from "../../platform/mail";
import {
  claim,
  findDue,
  markFailed,
  markSent,
  markWaiting,
  type SentFacts,
  type WaitingMail,
} from "./outbox";
import type { Renderer } from "./render";
import type { Seal } from "./seal";
import { renderWith, storedTemplate } from "./template";
import type { Branding } from "./types";

export type WorkerParts = {
  readonly data: Data;
  readonly mailer: Mailer;
  /** Whom mails come from; null: the mailer knows. */
  readonly from: Address | null;
  readonly seal: Seal;
  readonly renderer: Renderer;
  /** How mails of a tenant (null: of the installation) show who sends them. */
  readonly branding: (tenant: string | null) => Promise<Branding>;
  readonly logger: Logger;
  readonly now: () => number;
};

export type Worker = {
  /** Looks for mails soon. Returns at once. */
  readonly wake: () => void;
  /** Sends all that is due, and resolves when there is nothing left to try now. */
  readonly run: () => Promise<void>;
  /** Ends: what is being sent has `bound` ms to go, the rest waits for the next start. */
  readonly close: (bound?: number) => Promise<void>;
};

/** How often mails are looked for, and how long after the start for the first time, in ms. */
const interval = 10_000;
const firstLook = 1_000;
/** How many are looked for at once, and sent at the same time. */
const batch = 50;
const atOnce = 5;
/** How long one sending may take, in ms; less than the lease. */
const longestSending = 120_000;
/** The first wait before a mail is tried again, in ms; each one after is twice as long, up to the longest. */
const firstWait = 30_000;
const longestWait = 3_600_000;

/** Of no use any more to whom it is for. */
const tooLate = new AppError("INVALID_VALUE", "the mail was not sent in time");

/** Starts the worker. */
export function createWorker(parts: WorkerParts): Worker {
  const { data, mailer, logger, now } = parts;
  const slots = pLimit(atOnce);
  const stopping = new AbortController();
  // `resting`: the mail server could not be reached, so that only the clock asks again, not every new mail.
  const state = { closing: false, asked: false, resting: false };
  let running: Promise<void> | null = null;

  const fail = async (mail: WaitingMail, error: unknown): Promise<MailFault> => {
    const fault = faultOf(error);
    const reason = (error instanceof Error ? error.message : String(error)).slice(0, 500);
    const next = now() + waitAfter(mail.attempts);
    const isLast = fault === "refused" || next > Date.parse(mail.giveUpAt);
    logger.warn(isLast ? "a mail is given up" : "a mail waits to be tried again", {
      mail: mail.id,
      type: mail.templateName,
      attempts: mail.attempts,
      error: reason,
    });
    await (isLast ? markFailed(data, mail, reason) : markWaiting(data, mail, reason, next));
    return fault;
  };

  const deliver = async (mail: WaitingMail): Promise<"sent" | MailFault> => {
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(longestSending)]);
    if (now() > Date.parse(mail.giveUpAt)) return fail(mail, tooLate);
    let facts: SentFacts;
    try {
      facts = await heeding(signal, sendOne(parts, mail, signal));
    } catch (error) {
      return fail(mail, error);
    }
    await markSent(data, mail.id, facts, now());
    return "sent";
  };

  /** Gives false when the rest need not be tried now. */
  const sendBatch = async (due: readonly WaitingMail[]): Promise<boolean> => {
    let reachable = true;
    const tries = due.map((mail) =>
      slots(async () => {
        if (state.closing || !reachable) return;
        const claimed = await claim(data, mail, now());
        if (claimed !== null && (await deliver(claimed)) === "unreachable") reachable = false;
      }),
    );
    const ended = await Promise.allSettled(tries);
    for (const { reason } of ended.filter((one) => one.status === "rejected")) throw reason;
    return reachable;
  };

  const work = async (): Promise<void> => {
    while (state.asked && !state.closing) {
      state.asked = false;
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop
        const due = state.closing ? [] : await findDue(data, now(), batch);
        // oxlint-disable-next-line no-await-in-loop
        if (due.length === 0) break;
        // oxlint-disable-next-line no-await-in-loop
        state.resting = !(await sendBatch(due));
        if (state.resting) break;
      }
    }
  };
  const start = (): Promise<void> => {
    state.asked = true;
    running ??= work().finally(() => {
      running = null;
      // Asked for between the last look and here.
      if (state.asked) wake();
    });
    return running;
  };
  const wake = (): void => {
    if (state.closing || state.resting) return;
    start().catch((error: Error) => logger.warn("mails cannot be looked for", { error: error.message }));
  };
  const look = (): void => {
    state.resting = false;
    wake();
  };
  const timers = [setTimeout(look, firstLook), setInterval(look, interval)];
  for (const timer of timers) timer.unref();

  return {
    wake,
    run: async () => {
      // What runs already may have looked before the caller's mail was there.
      await running;
      await start();
    },
    close: async (bound = 10_000) => {
      state.closing = true;
      for (const timer of timers) clearTimeout(timer);
      const late = setTimeout(() => stopping.abort(new Error("the server stops")), bound);
      await running?.catch(() => {});
      clearTimeout(late);
      await mailer.close();
    },
  };
}

async function sendOne(parts: WorkerParts, mail: WaitingMail, signal: AbortSignal): Promise<SentFacts> {
  const { data, mailer, from, seal, renderer, branding, logger } = parts;
  const { name, values } = await seal.open(mail.payload ?? "");
  const type = mail.templateName;
  const tenant = mail.tenant_Id;
  const shown = { type, values, branding: await branding(tenant) };
  const rendered = renderWith(renderer, await storedTemplate(data, type, tenant), shown, (reason) =>
    logger.warn("a stored template cannot be used", { type, error: reason }),
  );
  const { subject, html, text } = rendered;
  const to = name === null ? { address: mail.email } : { address: mail.email, name };
  const message: MailMessage = { id: mail.id, type, from, to, subject, html, text };
  const { messageId } = await mailer.send(message, signal);
  return { subject: rendered.loggedSubject, sender: from?.address ?? null, messageId };
}

/** The work, or the signal's reason once it is aborted: a sender may not heed it. */
async function heeding<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    // Nobody waits for the other one any more.
    work.catch(() => {});
  }
}

/** What the mailer said; what cannot be a mail never will; anything else (a key, the time) may be mended. */
function faultOf(error: unknown): MailFault {
  if (error instanceof AppError && error.code === "INVALID_VALUE") return "refused";
  const { fault } = error as { readonly fault?: unknown };
  return fault === "refused" || fault === "unreachable" ? fault : "later";
}

/** How long a mail waits after its nth try, in ms: twice as long each time, less up to a quarter by chance. */
export function waitAfter(attempts: number, chance: () => number = Math.random): number {
  const wait = Math.min(longestWait, firstWait * 2 ** Math.min(attempts - 1, 20));
  return Math.round(wait * (1 - chance() / 4));
}
