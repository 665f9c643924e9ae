/** The driver for development: the mail is written to the log, where its links can be followed. */
import { checkMessage, type Mailer, messageIdOf } from "./mailer";

/** `write` gets each mail as text. Not for production: mails hold secrets. */
export function createLogMailer(write: (text: string) => void): Mailer {
  return {
    description: "this log",
    send: async (message) => {
      checkMessage(message);
      const { to, subject, text, type } = message;
      const recipient = to.name ? `${to.name} <${to.address}>` : to.address;
      write(`mail (${type})\nTo: ${recipient}\nSubject: ${subject}\n\n${text}`);
      return { messageId: messageIdOf(message), answer: "written to the log" };
    },
    verify: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
