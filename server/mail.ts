/** Config → the way that mails go, and who they say they come from. For the server and for commands of the terminal. */
import type { Config } from "./config";
import { AppError } from "./core/errors";
import type { Data } from "./data";
import { type Branding, renderDefault } from "./features/mail";
import { settingsOf } from "./features/settings";
import {
  type Address,
  createHookMailer,
  createLogMailer,
  createSmtpMailer,
  type Mailer,
  parseAddress,
  type SendMail,
  type SmtpSettings,
} from "./platform/mail";

/** `sendMail`: an application's own way. `log`: gets whole mails, in development. */
export type MailerOptions = {
  readonly sendMail?: SendMail | undefined;
  readonly log: (text: string) => void;
};

/** The mailer of a config, or null: a production server without a mail server refuses to send. */
export function mailerOf(config: Config, { sendMail, log }: MailerOptions): Mailer | null {
  if (sendMail) return createHookMailer(sendMail);
  const smtp = smtpSettings(config);
  if (smtp) return createSmtpMailer(smtp);
  return config.NODE_ENV === "production" ? null : createLogMailer(log);
}

/** Whom mails come from; null when nobody said. @throws AppError INVALID_VALUE */
export function senderOf({ MAIL_FROM }: Config): Address | null {
  if (MAIL_FROM === undefined) return null;
  try {
    return parseAddress(MAIL_FROM);
  } catch (error) {
    if (error instanceof AppError) throw new AppError("INVALID_VALUE", `MAIL_FROM: ${error.message}`);
    throw error;
  }
}

/** How mails show who sends them. */
function brandingOf(config: Config): Branding {
  return {
    name: config.PROJECT_NAME,
    url: config.PROJECT_URL ?? null,
    logoUrl: config.PROJECT_LOGO_URL ?? null,
    color: config.PROJECT_COLOR,
  };
}

/** The same in a tenant (null: outside of them), where `baasix_Settings` may say more than the environment. */
export async function brandingIn(data: Data, config: Config, tenant: string | null): Promise<Branding> {
  const { name, url, logoUrl, color } = brandingOf(config);
  const { project_name, project_url, project_logo_url, project_color } = await settingsOf(data, tenant);
  return {
    name: project_name ?? name,
    url: project_url ?? url,
    logoUrl: project_logo_url ?? logoUrl,
    color: project_color ?? color,
  };
}

/** The mail server of a config, or null. `SMTP_URL` says what the other keys say. */
export function smtpSettings(config: Config): SmtpSettings | null {
  const { SMTP_URL, SMTP_CA: ca, DKIM_DOMAIN: domain, DKIM_SELECTOR: selector, DKIM_PRIVATE_KEY } = config;
  const dkim =
    domain !== undefined && selector !== undefined && DKIM_PRIVATE_KEY !== undefined
      ? { domain, selector, privateKey: DKIM_PRIVATE_KEY }
      : undefined;
  if (SMTP_URL !== undefined) {
    const { protocol, hostname, port, username, password } = new URL(SMTP_URL);
    const isTls = protocol === "smtps:";
    return {
      // A literal IPv6 address stands in brackets in a URL alone.
      host: hostname.replace(/^\[(.*)\]$/, "$1"),
      port: port === "" ? (isTls ? 465 : 587) : Number(port),
      secure: isTls ? "tls" : (config.SMTP_SECURE ?? "starttls"),
      ...(username !== "" && { user: decodeURIComponent(username), password: decodeURIComponent(password) }),
      ca,
      dkim,
    };
  }
  if (config.SMTP_HOST === undefined) return null;
  const port = config.SMTP_PORT ?? (config.SMTP_SECURE === "tls" ? 465 : 587);
  return {
    host: config.SMTP_HOST,
    port,
    secure: config.SMTP_SECURE ?? (port === 465 ? "tls" : "starttls"),
    user: config.SMTP_USER,
    password: config.SMTP_PASSWORD,
    ca,
    dkim,
  };
}

/** Sends one mail to show that it can be done; gives what the mail server said. @throws AppError, MailError */
export async function sendTestMail(config: Config, address: string): Promise<string> {
  const mailer = smtpSettings(config) && mailerOf(config, { log: () => {} });
  if (!mailer)
    throw new AppError("MAIL_NOT_CONFIGURED", "there is no mail server: set SMTP_HOST or SMTP_URL");
  try {
    const content = renderDefault({ type: "test", values: {}, branding: brandingOf(config) });
    const { answer } = await mailer.send({
      ...content,
      id: crypto.randomUUID(),
      type: "test",
      from: senderOf(config),
      to: { address },
    });
    return `${mailer.description}: ${answer}`;
  } finally {
    await mailer.close();
  }
}
