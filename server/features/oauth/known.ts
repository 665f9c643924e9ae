/** The providers: four by name, and any that speaks OpenID Connect. */
import { importPKCS8, SignJWT } from "jose";
import { z } from "zod";
import type { Ask, Credentials, Profile, Provider } from "./provider";

const always = (secret: string | null) => () => Promise.resolve(secret);
const openId = { responseMode: "query", parameters: {}, profile: null } as const;

/** Google, by OpenID Connect. */
export function google({ clientIds, secret }: Credentials): Provider {
  return {
    ...openId,
    name: "google",
    label: "Google",
    metadata: { issuer: new URL("https://accounts.google.com") },
    clientIds,
    secret: always(secret),
    scopes: ["openid", "email", "profile"],
    parameters: { include_granted_scopes: "true" },
  };
}

/** How Apple knows an app: a key that signs a secret each time, or a secret that was signed before (6 months at most). */
export type AppleCredentials = {
  readonly clientIds: readonly [string, ...string[]];
  readonly key:
    | { readonly teamId: string; readonly keyId: string; readonly privateKey: string }
    | { readonly secret: string };
};

/** Apple, by OpenID Connect. It tells the name once, beside the answer, and posts the answer from its own page. */
export function apple({ clientIds, key }: AppleCredentials): Provider {
  return {
    ...openId,
    name: "apple",
    label: "Apple",
    metadata: { issuer: new URL("https://appleid.apple.com") },
    clientIds,
    secret: "secret" in key ? always(key.secret) : (now) => signAppleSecret(clientIds[0], key, now),
    scopes: ["openid", "name", "email"],
    responseMode: "form_post",
  };
}

/** The secret that Apple wants: a JWT of five minutes, signed with the app's key. */
async function signAppleSecret(
  clientId: string,
  {
    teamId,
    keyId,
    privateKey,
  }: { readonly teamId: string; readonly keyId: string; readonly privateKey: string },
  now: number,
): Promise<string> {
  const seconds = Math.floor(now / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: "ES256", kid: keyId })
    .setIssuer(teamId)
    .setSubject(clientId)
    .setAudience("https://appleid.apple.com")
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + 300)
    .sign(await importPKCS8(privateKey, "ES256"));
}

const text = z
  .string()
  .min(1)
  .nullish()
  .catch(null)
  .transform((value) => value ?? null);
const facebookProfile = z.object({
  id: z.string().min(1),
  email: text,
  first_name: text,
  last_name: text,
});

/** Facebook, by OAuth 2.0. It does not say whether a mail address is confirmed, so none of its addresses counts as that. */
export function facebook({ clientIds, secret }: Credentials): Provider {
  const version = "v23.0";
  return {
    name: "facebook",
    label: "Facebook",
    metadata: {
      known: {
        issuer: "https://www.facebook.com",
        authorization_endpoint: `https://www.facebook.com/${version}/dialog/oauth`,
        token_endpoint: `https://graph.facebook.com/${version}/oauth/access_token`,
        jwks_uri: "https://limited.facebook.com/.well-known/oauth/openid/jwks/",
        token_endpoint_auth_methods_supported: ["client_secret_post"],
      },
    },
    clientIds,
    secret: always(secret),
    scopes: ["email", "public_profile"],
    responseMode: "query",
    parameters: {},
    profile: async (ask) => {
      const fields = "id,email,first_name,last_name";
      const found = facebookProfile.parse(
        await ask(`https://graph.facebook.com/${version}/me?fields=${fields}`),
      );
      const { id, email, first_name, last_name } = found;
      return { subject: id, email, emailVerified: false, firstName: first_name, lastName: last_name };
    },
  };
}

const githubUser = z.object({ id: z.number().int().positive(), name: text, login: text });
const githubMails = z.array(z.object({ email: z.string(), primary: z.boolean(), verified: z.boolean() }));

/** GitHub, by OAuth 2.0. `site`: another one than github.com, of an organisation of its own. */
export function github({
  clientIds,
  secret,
  site,
}: Credentials & { readonly site: string | null }): Provider {
  const home = site ?? "https://github.com";
  const api = site === null ? "https://api.github.com" : `${site}/api/v3`;
  return {
    name: "github",
    label: "GitHub",
    metadata: {
      known: {
        issuer: `${home}/login/oauth`,
        authorization_endpoint: `${home}/login/oauth/authorize`,
        token_endpoint: `${home}/login/oauth/access_token`,
        token_endpoint_auth_methods_supported: ["client_secret_post"],
      },
    },
    clientIds,
    secret: always(secret),
    scopes: ["read:user", "user:email"],
    responseMode: "query",
    parameters: {},
    profile: (ask) => readGithub(ask, api),
  };
}

async function readGithub(ask: Ask, api: string): Promise<Profile> {
  const user = githubUser.parse(await ask(`${api}/user`));
  const mails = githubMails.parse(await ask(`${api}/user/emails`));
  const verified = mails.filter((mail) => mail.verified);
  const mail = verified.find(({ primary }) => primary) ?? verified[0] ?? mails.find(({ primary }) => primary);
  const [firstName = null, ...more] = (user.name ?? user.login ?? "").split(" ").filter(Boolean);
  return {
    subject: String(user.id),
    email: mail?.email ?? null,
    emailVerified: mail?.verified ?? false,
    firstName,
    lastName: more.join(" ") || null,
  };
}

/** What any provider of OpenID Connect is described by. */
export type OidcDescription = {
  readonly name: string;
  readonly label?: string | undefined;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret?: string | undefined;
  readonly scopes: readonly string[];
  readonly responseMode: "query" | "form_post";
};

/** A provider that describes itself. */
export function openIdConnect({
  name,
  label,
  issuer,
  clientId,
  clientSecret,
  ...rest
}: OidcDescription): Provider {
  return {
    ...openId,
    ...rest,
    name,
    label: label ?? name,
    metadata: { issuer: new URL(issuer) },
    clientIds: [clientId],
    secret: always(clientSecret ?? null),
  };
}
