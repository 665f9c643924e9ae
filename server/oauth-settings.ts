/** Settings of signing in with other providers: those that are known by name, and any OpenID Connect provider. */
import { z } from "zod";

const known = ["GOOGLE", "FACEBOOK", "APPLE", "GITHUB"] as const;
const names = (separator: RegExp) =>
  z
    .string()
    .default("")
    .transform((text) =>
      text
        .split(separator)
        .map((entry) => entry.trim())
        .filter(Boolean),
    );
const clientIds = names(/,/);
const secret = z.string().min(1).optional();
const address = z
  .url({ protocol: /^https?$/ })
  .refine(isPlain, "must be an address without a query, such as https://api.example.com")
  .transform((text) => text.replace(/\/+$/, ""));

/**
 * The settings with fixed names. `AUTH_SERVICES_ENABLED`: which ways in are open, `LOCAL` for passwords. `BASE_URL`: where
 * browsers reach this server. `*_CLIENT_ID`: the first is this server's; ID tokens that were made for any of them are taken.
 * `OUTBOUND_PRIVATE_HOSTS`: hosts that may have private addresses when this server asks them.
 */
export const oauthSettings = {
  AUTH_SERVICES_ENABLED: z
    .string()
    .default("LOCAL")
    .transform((text) =>
      text
        .toUpperCase()
        .split(/[\s,]+/)
        .filter(Boolean),
    )
    .pipe(z.array(z.enum(["LOCAL", ...known], `must list some of LOCAL, ${known.join(", ")}`))),
  BASE_URL: address.optional(),
  GOOGLE_CLIENT_ID: clientIds,
  GOOGLE_CLIENT_SECRET: secret,
  FACEBOOK_CLIENT_ID: clientIds,
  FACEBOOK_CLIENT_SECRET: secret,
  GITHUB_CLIENT_ID: clientIds,
  GITHUB_CLIENT_SECRET: secret,
  GITHUB_URL: address.optional(),
  APPLE_CLIENT_ID: clientIds,
  APPLE_CLIENT_SECRET: secret,
  APPLE_TEAM_ID: secret,
  APPLE_KEY_ID: secret,
  APPLE_PRIVATE_KEY: z
    .string()
    .transform((text) => text.replaceAll("\\n", "\n").trim())
    .refine((text) => text.startsWith("-----BEGIN PRIVATE KEY-----\n"), "must be PEM text: -----BEGIN …")
    .optional(),
  OUTBOUND_PRIVATE_HOSTS: names(/,/).refine(
    (hosts) => hosts.every((host) => URL.parse(`https://${host}`)?.hostname === host),
    "must list names of hosts, such as login.internal",
  ),
};

type Given = z.output<z.ZodObject<typeof oauthSettings>> & {
  readonly NODE_ENV: "development" | "production" | "test";
};

/** What is missing beside what is given; null: nothing. */
export function findOAuthFault(given: Given, providers: readonly OidcSettings[]): OidcFault | null {
  const services = given.AUTH_SERVICES_ENABLED.filter((service) => service !== "LOCAL");
  for (const service of services) {
    const missing = needsOf(service, given).find(
      (key) => given[key] === undefined || given[key].length === 0,
    );
    if (missing !== undefined)
      return { key: missing, message: `is needed beside ${service} in AUTH_SERVICES_ENABLED` };
  }
  if (given.NODE_ENV !== "production" || services.length + providers.length === 0) return null;
  if (given.BASE_URL === undefined)
    return { key: "BASE_URL", message: "is needed to sign in with providers" };
  if (!given.BASE_URL.startsWith("https:"))
    return { key: "BASE_URL", message: "must be https in production" };
  const plain = providers.find(({ issuer }) => !issuer.startsWith("https:"));
  if (plain === undefined) return null;
  return { key: "OIDC_PROVIDERS", message: `the issuer of ${plain.name} must be https in production` };
}

function needsOf(service: (typeof known)[number], given: Given): readonly (keyof Given)[] {
  if (service !== "APPLE") return [`${service}_CLIENT_ID`, `${service}_CLIENT_SECRET`];
  if (given.APPLE_CLIENT_SECRET !== undefined) return ["APPLE_CLIENT_ID"];
  return ["APPLE_CLIENT_ID", "APPLE_TEAM_ID", "APPLE_KEY_ID", "APPLE_PRIVATE_KEY"];
}

const words = z
  .union([z.string().transform((text) => text.split(/[\s,]+/)), z.array(z.string())])
  .transform((all) => all.filter(Boolean))
  .pipe(z.array(z.string().regex(/^[!#-[\]-~]{1,100}$/, "must be names of scopes")).max(20));

/** Names that mean something else. */
const taken: ReadonlySet<string> = new Set([
  "credential",
  "service",
  "local",
  "google",
  "facebook",
  "apple",
  "github",
]);

const provider = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/, "must be a short name: a letter, then letters, digits and -")
    .refine((name) => !taken.has(name), "is the name of something else here"),
  label: z.string().trim().min(1).max(64).optional(),
  issuer: z.url({ protocol: /^https?$/ }).refine(isPlain, "must be the issuer's address, without a query"),
  clientId: z.string().min(1),
  clientSecret: z.string().min(1).optional(),
  scopes: words
    .refine((all) => all.includes("openid"), "must hold openid")
    .default(["openid", "email", "profile"]),
  responseMode: z.enum(["query", "form_post"]).default("query"),
});

/** A provider as it is configured. `responseMode`: how the browser brings its answer back. */
export type OidcSettings = Readonly<z.output<typeof provider>>;

/** What is wrong, and with which key; never its value. */
export type OidcFault = { readonly key: string; readonly message: string };

const keyPattern = /^OIDC_([A-Z][A-Z0-9_]*?)_(LABEL|ISSUER|CLIENT_ID|CLIENT_SECRET|SCOPES|RESPONSE_MODE)$/;
const members: Readonly<Record<string, string>> = {
  LABEL: "label",
  ISSUER: "issuer",
  CLIENT_ID: "clientId",
  CLIENT_SECRET: "clientSecret",
  SCOPES: "scopes",
  RESPONSE_MODE: "responseMode",
};

/**
 * The providers of an environment: those of the JSON list `OIDC_PROVIDERS`, then those of `OIDC_<NAME>_ISSUER`,
 * `_CLIENT_ID`, `_CLIENT_SECRET`, `_SCOPES`, `_LABEL` and `_RESPONSE_MODE`, whose name is in lower case with `-` for `_`.
 */
export function readOidcSettings(
  env: Readonly<Record<string, string | undefined>>,
): { readonly providers: readonly OidcSettings[] } | { readonly fault: OidcFault } {
  const found: { readonly key: (member: string) => string; readonly given: unknown }[] = [];
  const text = env.OIDC_PROVIDERS;
  if (text !== undefined && text !== "") {
    const list = parseList(text);
    if (list === null)
      return { fault: { key: "OIDC_PROVIDERS", message: "must be a JSON list of providers" } };
    list.forEach((given, place) =>
      found.push({ key: (member) => `OIDC_PROVIDERS[${place}]${member && `.${member}`}`, given }),
    );
  }
  for (const [name, given] of Object.entries(namedProviders(env))) {
    const suffixes = new Map(Object.entries(members).map(([suffix, member]) => [member, suffix]));
    found.push({
      key: (member) => `OIDC_${name}_${suffixes.get(member) ?? "ISSUER"}`,
      given: { ...given, name: name.toLowerCase().replaceAll("_", "-") },
    });
  }
  const providers: OidcSettings[] = [];
  for (const { key, given } of found) {
    const result = provider.safeParse(given);
    if (!result.success) {
      const issue = result.error.issues[0];
      return { fault: { key: key(String(issue?.path[0] ?? "")), message: issue?.message ?? "invalid" } };
    }
    if (providers.some(({ name }) => name === result.data.name))
      return { fault: { key: key("name"), message: "there is another provider of that name" } };
    providers.push(result.data);
  }
  return { providers };
}

function namedProviders(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, Record<string, string>> {
  const found: Record<string, Record<string, string>> = {};
  for (const [key, value] of Object.entries(env)) {
    const [, name, suffix] = keyPattern.exec(key) ?? [];
    const member = members[suffix ?? ""];
    if (name !== undefined && member !== undefined && value) (found[name] ??= {})[member] = value;
  }
  return found;
}

function parseList(text: string): readonly unknown[] | null {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

function isPlain(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { username, password, search, hash } = new URL(text);
  return [username, password, search, hash].every((part) => part === "");
}
