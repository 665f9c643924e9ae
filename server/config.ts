/** Environment and flags → one frozen Config, checked at start. */
import { z } from "zod";
import { databaseDefaults } from "./database-settings";
import { findOAuthFault, oauthSettings, type OidcSettings, readOidcSettings } from "./oauth-settings";

const flag = z.enum(["true", "false"]).transform((text) => text === "true");
const wholeNumber = (min: number, max: number) =>
  z.string().regex(/^\d+$/, "must be a whole number").transform(Number).pipe(z.number().min(min).max(max));
const list = z
  .string()
  .default("")
  .transform((text) =>
    text
      .split(",")
      .map((entry) => entry.trim())
      .filter(Boolean),
  );

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text.replace(/\/$/, "").toLowerCase();
}

/** A certificate or key as PEM (RFC 7468); `\\n` stands for a line break where a setting must be one line. */
const pem = (label: RegExp) =>
  z
    .string()
    .transform((text) => text.replaceAll("\\n", "\n").trim())
    .refine((text) => label.test(text), `must be PEM text: -----BEGIN …`);
const webAddress = z.url({ protocol: /^https?$/ });

/** An address that a path may be put behind. */
function isAppAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && [username, password, search, hash].every((part) => part === "");
}
const days = z
  .string()
  .regex(/^(forever|[1-9]\d{0,4})$/, "must be a whole number of days from 1 on, or the word forever")
  .transform((text) => (text === "forever" ? text : Number(text)));
const sessionLimit = z
  .string()
  .regex(/^(-1|\d{1,6})$/, "must be a whole number of sessions, 0 to forbid them, or -1 for any number")
  .transform((text) => (text === "-1" ? null : Number(text)))
  .default(null);

const settings = z.object({
  PORT: wholeNumber(0, 65_535).default(8056),
  HOST: z.string().min(1).default("127.0.0.1"),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  DATABASE_POOL_MAX: wholeNumber(1, 200).default(databaseDefaults.DATABASE_POOL_MAX),
  DATABASE_SLOW_POOL_MAX: wholeNumber(1, 50).default(databaseDefaults.DATABASE_SLOW_POOL_MAX),
  BAASIX_DIR: z.string().min(1).default(databaseDefaults.BAASIX_DIR),
  SECRET_KEY: z.string().min(32, "must have at least 32 characters").optional(),
  SECRET_KEY_PREVIOUS: list.refine(
    (keys) => keys.every((key) => key.length >= 32),
    "must list keys of at least 32 characters, with commas between",
  ),
  ADMIN_EMAIL: z.email().optional(),
  ADMIN_PASSWORD: z.string().min(8).max(128).optional(),
  PUBLIC_REGISTRATION: flag.default(true),
  DEFAULT_ROLE_REGISTERED: z
    .string()
    .min(1)
    .refine((name) => name !== "administrator" && name !== "public", "must be a role that strangers may have")
    .default("user"),
  REQUIRE_EMAIL_VERIFICATION: flag.default(false),
  SEND_WELCOME_EMAIL: flag.default(false),
  AUTH_APP_URL: list.refine(
    (addresses) => addresses.every(isAppAddress),
    "must list addresses of the web without a query, such as https://app.example.com",
  ),
  PASSWORD_POLICY: z.enum(["length", "strict"]).default("length"),
  ACCESS_TOKEN_EXPIRES_IN: wholeNumber(30, 86_400).default(900),
  REFRESH_TOKEN_EXPIRES_IN: wholeNumber(300, 31_536_000).default(2_592_000),
  SCHEMAS_PUBLIC: flag.default(true),
  MULTI_TENANT: flag.default(false),
  TENANT_IGNORED_TABLES: list,
  TENANT_OWNER_ROLE: z
    .string()
    .min(1)
    .refine((name) => name !== "administrator" && name !== "public", "must be a role that strangers may have")
    .optional(),
  AUTH_CORS_ALLOWED_ORIGINS: list.refine(
    (origins) => origins.every(isOrigin),
    "must list origins as browsers spell them, such as https://app.example.com",
  ),
  NODE_ENV: z.enum(["development", "production", "test"]).default("development"),
  RATE_LIMIT: wholeNumber(1, 1_000_000).default(100),
  RATE_LIMIT_INTERVAL: wholeNumber(100, 3_600_000).default(5000),
  TRUST_PROXY: list,
  LOGIN_RATE_LIMIT: wholeNumber(1, 1_000_000).default(10),
  LOGIN_ACCOUNT_LIMIT: wholeNumber(1, 1_000_000).default(5),
  IDEMPOTENCY_KEY_LIMIT: wholeNumber(1, 100_000_000).default(100_000),
  MOBILE_SESSION_LIMIT: sessionLimit,
  WEB_SESSION_LIMIT: sessionLimit,
  SESSION_LIMIT_ROLES: list,
  MAX_UPLOAD_FILE_SIZE: wholeNumber(1, 10_240).default(50),
  IMPORT_LIMIT: wholeNumber(1, 10_240).default(50),
  REALTIME_SOCKETS_PER_USER: wholeNumber(1, 100_000).default(20),
  REALTIME_SOCKETS_PER_ADDRESS: wholeNumber(1, 100_000).default(100),
  REALTIME_SILENCE: wholeNumber(1, 24).default(20),
  REDIS_URL: z
    .url({ protocol: /^(rediss?|valkey)$/ })
    .refine((address) => new URL(address).hostname !== "", "must be redis(s)://user:password@host:port")
    .optional(),
  INSTANCE_BEAT: wholeNumber(1, 60).default(5),
  TRANSFORM_RATE_LIMIT: wholeNumber(1, 10_000).default(5),
  AUDIT_RETENTION_DAYS: days.default(90),
  SMTP_URL: z
    .url({ protocol: /^smtps?$/ })
    .refine(isMailServer, "must be smtp(s)://user:password@host:port")
    .optional(),
  SMTP_HOST: z
    .string()
    .regex(/^[\w.:-]+$/, "must be a host name or address")
    .optional(),
  SMTP_PORT: wholeNumber(1, 65_535).optional(),
  SMTP_USER: z.string().min(1).optional(),
  SMTP_PASSWORD: z.string().min(1).optional(),
  SMTP_SECURE: z.enum(["tls", "starttls", "none"]).optional(),
  SMTP_CA: pem(/^-----BEGIN CERTIFICATE-----\n/).optional(),
  MAIL_FROM: z
    .string()
    .regex(/^[^\r\n]+@[^\r\n]+$/, "must be a mail address, such as Shop <no-reply@example.com>")
    .optional(),
  DKIM_DOMAIN: z
    .string()
    .regex(/^[\w.-]+$/, "must be a domain")
    .optional(),
  DKIM_SELECTOR: z
    .string()
    .regex(/^[\w.-]+$/, "must be a name in the DNS")
    .optional(),
  DKIM_PRIVATE_KEY: pem(/^-----BEGIN [A-Z ]*PRIVATE KEY-----\n/).optional(),
  EMAIL_LOG_RETENTION_DAYS: days.default(30),
  ...oauthSettings,
  PROJECT_NAME: z
    .string()
    .trim()
    .min(1)
    .max(100)
    .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]+$/u, "must be one line")
    .default("Baasix"),
  PROJECT_URL: webAddress.optional(),
  PROJECT_LOGO_URL: webAddress.optional(),
  PROJECT_COLOR: z
    .string()
    .regex(/^#[0-9a-f]{6}$/i, "must be a colour such as #663399")
    .default("#663399"),
  LOG_LEVEL: z.enum(["silent", "error", "warn", "info", "debug"]).default("info"),
  LOG_FORMAT: z.enum(["json", "pretty"]).optional(),
});

/** Settings that say nothing alone: which other one each needs. */
const together: readonly (readonly [key: keyof typeof settings.shape, needs: keyof typeof settings.shape])[] =
  [
    ["SMTP_PORT", "SMTP_HOST"],
    ["SMTP_USER", "SMTP_HOST"],
    ["SMTP_USER", "SMTP_PASSWORD"],
    ["SMTP_PASSWORD", "SMTP_USER"],
    ["SMTP_HOST", "MAIL_FROM"],
    ["SMTP_URL", "MAIL_FROM"],
    ["DKIM_PRIVATE_KEY", "DKIM_DOMAIN"],
    ["DKIM_PRIVATE_KEY", "DKIM_SELECTOR"],
    ["DKIM_DOMAIN", "DKIM_PRIVATE_KEY"],
    ["DKIM_SELECTOR", "DKIM_PRIVATE_KEY"],
  ];

const environment = settings.superRefine((given, context) => {
  for (const [key, needs] of together) {
    if (given[key] === undefined || given[needs] !== undefined) continue;
    context.addIssue({ code: "custom", path: [needs], message: `is needed beside ${key}` });
  }
  if (given.REQUIRE_EMAIL_VERIFICATION && given.AUTH_APP_URL.length === 0) {
    context.addIssue({
      code: "custom",
      path: ["AUTH_APP_URL"],
      message: "is needed beside REQUIRE_EMAIL_VERIFICATION: the mails lead there",
    });
  }
  if (given.SMTP_URL !== undefined && given.SMTP_HOST !== undefined) {
    context.addIssue({
      code: "custom",
      path: ["SMTP_URL"],
      message: "says what SMTP_HOST says: give one of them",
    });
  }
});

/** An address of a mail server that says a host and nothing that would be passed over. */
function isMailServer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { hostname, pathname, search, hash } = new URL(text);
  return hostname !== "" && ["", "/"].includes(pathname) && search === "" && hash === "";
}

/**
 * Every setting, checked. `LOGIN_RATE_LIMIT`: sign-ins and sign-ups per client and minute; `LOGIN_ACCOUNT_LIMIT`: wrong
 * passwords per account and quarter of an hour; `TRANSFORM_RATE_LIMIT`: new images per second and client;
 * `IDEMPOTENCY_KEY_LIMIT`: new keys per account (without one, per address) and day, an answer counting once for each 4 KiB.
 * `REALTIME_SOCKETS_PER_USER`: of one account; `REALTIME_SOCKETS_PER_ADDRESS`: without an account, of one address.
 * `REALTIME_SILENCE`: seconds after which a socket that gives no sign of life, not even by answering a ping, is closed.
 * `REDIS_URL`: by which several servers on one database speak to each other, in place of the database itself;
 * `INSTANCE_BEAT`: seconds between their signs of life; without three of them one is taken for gone.
 * `MAX_UPLOAD_FILE_SIZE` and `IMPORT_LIMIT` (a file of items to import) in MiB, intervals in ms, token lifetimes in seconds.
 * `AUDIT_RETENTION_DAYS` and `EMAIL_LOG_RETENTION_DAYS`: how long entries of the two logs are kept; `forever` keeps them all.
 * `AUTH_APP_URL`: the addresses that links in mails may begin with, the first one where a request names none.
 * `SECRET_KEY_PREVIOUS`: keys that were in use before, whose tokens still hold. `MOBILE_SESSION_LIMIT`, `WEB_SESSION_LIMIT`:
 * open sessions of that kind per account, null for any number; of accounts with one of `SESSION_LIMIT_ROLES` (names or ids),
 * without it of all.
 * `MULTI_TENANT`: rows belong to tenants; `TENANT_IGNORED_TABLES`: collections whose rows belong to none; `TENANT_OWNER_ROLE`:
 * the role of who founds a tenant, by name, that of new accounts unless told.
 * Without `SMTP_SECURE` port 465 means `tls`, any other `starttls`. `PROJECT_*`: what mails say of who sends them.
 */
export type Config = Readonly<z.output<typeof environment>> & {
  /** Providers of OpenID Connect; see `readOidcSettings`. */
  readonly OIDC_PROVIDERS: readonly OidcSettings[];
};

/** A setting that cannot be used: names the key, for one line on the terminal. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Checks an environment.
 * @throws ConfigError naming the first bad key; never repeats its value (it may be a secret).
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ""),
  );
  const result = environment.safeParse(given, { jitless: true }); // a parser that is used once is not worth compiling
  if (!result.success) {
    const issue = result.error.issues[0];
    throw new ConfigError(`${issue?.path.join(".") ?? "environment"}: ${issue?.message ?? "invalid"}`);
  }
  const oidc = readOidcSettings(given);
  const fault = "fault" in oidc ? oidc.fault : findOAuthFault(result.data, oidc.providers);
  if (fault !== null || "fault" in oidc) throw new ConfigError(`${fault?.key}: ${fault?.message}`);
  return Object.freeze({ ...result.data, OIDC_PROVIDERS: oidc.providers });
}

/** Which collections have no tenants, where there are any; else null. */
export function tenantsOf({
  MULTI_TENANT,
  TENANT_IGNORED_TABLES,
}: Pick<Config, "MULTI_TENANT" | "TENANT_IGNORED_TABLES">): { readonly ignored: ReadonlySet<string> } | null {
  return MULTI_TENANT ? { ignored: new Set(TENANT_IGNORED_TABLES) } : null;
}
