import type { Config } from "./config";
import type { Parts } from "./parts";

export { type Config, ConfigError, readConfig } from "./config";
export type { Actor, AnonymousActor, SystemActor, UserActor } from "./core/access/actor";
export {
  type AssuranceLevel,
  hasRole,
  isAdmin,
  requireAnyRole,
  requireAssurance,
  requireRole,
  requireUser,
  requireVerifiedEmail,
} from "./core/access/guards";
export { AppError } from "./core/errors";
export type { AppOptions } from "./app";
export type { CheckPassword, PasswordOwner } from "./features/auth";
export type { NotificationsFace, OwnNotice } from "./features/notifications";
export type {
  InTenant,
  MayFollow,
  MessageContext,
  MessageHandler,
  RealtimeFace,
  RoomValidator,
} from "./features/realtime";
export type { Parts } from "./parts";
export { MailError, type MailMessage, type SendMail } from "./platform/mail";
export { StartError } from "./platform/postgres/embedded";
export { type RunningServer, startServer } from "./start";
export { version } from "./package.json";

/** See `parts.ts`, which is loaded when it is asked for: a server that starts does without it. */
export async function openParts(config: Config): Promise<Parts> {
  const parts = await import("./parts");
  return parts.openParts(config);
}

/** See `mail.ts`, which is loaded when it is asked for. @throws AppError, MailError with one clear line */
export async function sendTestMail(config: Config, address: string): Promise<string> {
  const mail = await import("./mail");
  return mail.sendTestMail(config, address);
}
