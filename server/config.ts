/** Environment and flags → one frozen Config, checked at start. */
import { z } from "zod";

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

const environment = z.object({
  PORT: wholeNumber(0, 65_535).default(8056),
  HOST: z.string().min(1).default("127.0.0.1"),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  DATABASE_POOL_MAX: wholeNumber(1, 200).default(10),
  DATABASE_SLOW_POOL_MAX: wholeNumber(1, 50).default(4),
  BAASIX_DIR: z.string().min(1).default("./baasix_data"),
  SECRET_KEY: z.string().min(32, "must have at least 32 characters").optional(),
  ADMIN_EMAIL: z.email().optional(),
  ADMIN_PASSWORD: z.string().min(8).max(128).optional(),
  PUBLIC_REGISTRATION: flag.default(true),
  DEFAULT_ROLE_REGISTERED: z
    .string()
    .min(1)
    .refine((name) => name !== "administrator" && name !== "public", "must be a role that strangers may have")
    .default("user"),
  ACCESS_TOKEN_EXPIRES_IN: wholeNumber(30, 86_400).default(900),
  REFRESH_TOKEN_EXPIRES_IN: wholeNumber(300, 31_536_000).default(2_592_000),
  SCHEMAS_PUBLIC: flag.default(true),
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
  MAX_UPLOAD_FILE_SIZE: wholeNumber(1, 10_240).default(50),
  IMPORT_LIMIT: wholeNumber(1, 10_240).default(50),
  REALTIME_SOCKETS_PER_USER: wholeNumber(1, 100_000).default(20),
  REALTIME_SOCKETS_PER_ADDRESS: wholeNumber(1, 100_000).default(100),
  TRANSFORM_RATE_LIMIT: wholeNumber(1, 10_000).default(5),
  AUDIT_RETENTION_DAYS: z
    .string()
    .regex(/^(forever|[1-9]\d{0,4})$/, "must be a whole number of days from 1 on, or the word forever")
    .transform((text) => (text === "forever" ? text : Number(text)))
    .default(90),
  LOG_LEVEL: z.enum(["silent", "error", "warn", "info", "debug"]).default("info"),
  LOG_FORMAT: z.enum(["json", "pretty"]).optional(),
});

/**
 * Every setting, checked. `LOGIN_RATE_LIMIT`: sign-ins and sign-ups per client and minute; `LOGIN_ACCOUNT_LIMIT`: wrong
 * passwords per account and quarter of an hour; `TRANSFORM_RATE_LIMIT`: new images per second and client.
 * `REALTIME_SOCKETS_PER_USER`: of one account; `REALTIME_SOCKETS_PER_ADDRESS`: without an account, of one address.
 * `MAX_UPLOAD_FILE_SIZE` and `IMPORT_LIMIT` (a file of items to import) in MiB, intervals in ms, token lifetimes in seconds.
 * `AUDIT_RETENTION_DAYS`: how long entries of the audit log are kept; `forever` keeps them all.
 */
export type Config = Readonly<z.output<typeof environment>>;

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
  const result = environment.safeParse(given);
  if (result.success) return Object.freeze(result.data);
  const issue = result.error.issues[0];
  throw new ConfigError(`${issue?.path.join(".") ?? "environment"}: ${issue?.message ?? "invalid"}`);
}
