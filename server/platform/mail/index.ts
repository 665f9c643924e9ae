export { parseAddress } from "./address";
export { createHookMailer, type SendMail } from "./hook";
export { createLogMailer } from "./log";
export {
  type Address,
  checkMessage,
  type Mailer,
  MailError,
  type MailFault,
  type MailMessage,
  messageIdOf,
  type Sent,
} from "./mailer";
export { createSmtpMailer, type DkimSettings, type SmtpSettings } from "./smtp";
