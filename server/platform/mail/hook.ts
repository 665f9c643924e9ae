/** The driver that hands mails to a function of the embedding application. */
import { checkMessage, type Mailer, MailError, type MailMessage, messageIdOf } from "./mailer";

/**
 * Sends a mail some way of its own. Resolves when the mail is taken over; a rejection has it tried again later, one with a
 * `MailError` of the fault `refused` does not. May be called twice for a mail (same `id`) when a server dies between.
 */
export type SendMail = (message: MailMessage, signal?: AbortSignal) => Promise<void>;

/** A mailer of a function. */
export function createHookMailer(sendMail: SendMail): Mailer {
  return {
    description: "the application's sendMail",
    send: async (message, signal) => {
      checkMessage(message);
      try {
        await sendMail(message, signal);
      } catch (error) {
        if (error instanceof MailError) throw error;
        throw new MailError("later", error instanceof Error ? error.message : String(error), {
          cause: error,
        });
      }
      return { messageId: messageIdOf(message), answer: "taken by the application" };
    },
    verify: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
