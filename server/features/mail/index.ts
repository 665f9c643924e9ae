export { createMail, type Mail, type MailParts } from "./mail";
export type { MailLimits } from "./limits";
export type { NewMail } from "./outbox";
export { renderDefault } from "./template";
export type { Branding, MailType, MailValues } from "./types";
export { toLabel } from "./values";
