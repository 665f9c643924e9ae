/** The whole server with tenants, roles in and beyond them, a mail server and providers to sign in with. */
import type { AuthResult, Tenant } from "@baasix/types";
import { system } from "../core/access/actor";
import { createPasswords } from "../features/auth";
import { type Answer, type TestApp, testAdmin } from "./app";
import { type MailServer, openMailServer } from "./mail-server";
import { openOAuthScene, type OAuthScene } from "./oauth";

const root = system("the test prepares tenants and their members");

/** What everybody signs in with. */
export const password = "a good password";

/** A role by its name, and the tenant in which it is held; null: everywhere. */
export type Held = readonly [role: string, tenant: Tenant | null];

export type Person = { readonly id: string; readonly email: string };

export type TenantScene = Awaited<ReturnType<typeof openTenantScene>>;

/**
 * Opens it. Roles of tenants: `owner` (of who founds one), `member`; beyond tenants: `auditor`. `env` as in the environment.
 */
export async function openTenantScene(env: Readonly<Record<string, string>> = {}) {
  const mails: MailServer = await openMailServer();
  const time = { ahead: 0 };
  const oauth: OAuthScene = await openOAuthScene({
    now: () => Date.now() + time.ahead,
    env: {
      MULTI_TENANT: "true",
      TENANT_OWNER_ROLE: "owner",
      SMTP_HOST: "127.0.0.1",
      SMTP_PORT: String(mails.port),
      SMTP_SECURE: "none",
      MAIL_FROM: "no-reply@shop.example.com",
      AUTH_CORS_ALLOWED_ORIGINS: "https://app.example.com",
      ...env,
    },
  });
  const app: TestApp = oauth.app;
  const names = ["owner", "member", "auditor"];
  const made = await app.data.create(
    root,
    "baasix_Role",
    names.map((name) => ({ name, isTenantSpecific: name !== "auditor" })),
  );
  const builtIn = await app.data.find<{ id: string; name: string }>(root, "baasix_Role", {
    filter: { name: { in: ["user", "administrator"] } },
    fields: ["id", "name"],
  });
  const roles = new Map(names.map((name, i) => [name, String(made[i])]));
  for (const { id, name } of builtIn) roles.set(name, id);
  const hash = await createPasswords().hash(password, {});
  let count = 0;

  let administrator = { token: app.admin, at: 0 };
  const admin = async (): Promise<string> => {
    // Access tokens end after a quarter of an hour, and so does the freshness of the sign-in.
    if (time.ahead - administrator.at > 300_000)
      administrator = { token: await app.login(testAdmin.email, testAdmin.password), at: time.ahead };
    return administrator.token;
  };

  const role = (name: string): string => roles.get(name) ?? name;
  const join = async (person: Person, ...held: readonly Held[]): Promise<void> => {
    for (const [name, tenant] of held) {
      // Whoever joined first is known by the time.
      time.ahead += 1;
      const membership = { user_Id: person.id, role_Id: role(name), tenant_Id: tenant?.id ?? null };
      // oxlint-disable-next-line no-await-in-loop
      await app.data.create(root, "baasix_UserRole", [membership]);
    }
  };

  return {
    app,
    oauth,
    mails,
    role,
    /** A token of the administrator that is good now. */
    admin,
    /** Gives memberships, one after the other. */
    join,
    /** Adds to the present, in ms: the clock of the app. */
    pass: (ms: number): void => {
      time.ahead += ms;
    },
    /** How much that is by now, in ms. */
    ahead: (): number => time.ahead,
    /** A tenant that nobody is a member of. */
    tenant: async (name: string): Promise<Tenant> => {
      const [id] = await app.data.create(root, "baasix_Tenant", [{ name }]);
      return { id: String(id), name };
    },
    /** Somebody with a confirmed address and `password`. */
    person: async (...held: readonly Held[]): Promise<Person> => {
      const email = `member${++count}@example.com`;
      const profile = { email, firstName: "Ada", status: "active", emailVerified: true };
      const [id] = await app.data.create(root, "baasix_User", [profile]);
      const person = { id: String(id), email };
      const credential = { accountId: person.id, providerId: "credential", password: hash };
      await app.data.create(root, "baasix_Account", [{ ...credential, user_Id: person.id }]);
      await join(person, ...held);
      return person;
    },
    /** Takes memberships away: all, or those in one tenant. */
    leave: async (person: Person, tenant?: Tenant): Promise<void> => {
      const ofPerson = { user_Id: { eq: person.id } };
      const filter = tenant ? { AND: [ofPerson, { tenant_Id: { eq: tenant.id } }] } : ofPerson;
      await app.data.removeWhere(root, "baasix_UserRole", filter);
    },
    /** Signs in with the password. */
    signIn: (person: Person, more: object = {}): Promise<Answer> =>
      app.call("POST", "/auth/login", { body: { email: person.email, password, ...more } }),
    /** What the next mail says, and the token or code in it. */
    nextMail: async () => {
      const { mail, to } = await mails.next();
      const text = mail.text ?? "";
      return {
        to: to[0] ?? "",
        subject: mail.subject ?? "",
        text,
        html: mail.html === false ? "" : mail.html,
        url: /https?:\/\/[^\s>]+/.exec(text)?.[0] ?? "",
        token: /\/([0-9a-f]{64})\b/.exec(text)?.[1] ?? "",
        code: /^\s*([0-9A-F]{12}|\d{6})\s*$/m.exec(text)?.[1] ?? "",
      };
    },
    close: async (): Promise<void> => {
      await oauth.close();
      await mails.close();
    },
  };
}

/** What a way in answered, which must be a session. */
export function signedIn({ status, body, text }: Answer): AuthResult & { readonly refreshToken: string } {
  const result = body as (AuthResult & { readonly refreshToken: string }) | null;
  if (result?.token === undefined) throw new Error(`${status} ${text}`);
  return result;
}

/** Status and message of a refusal. */
export function refused({ status, body }: Answer): readonly [number, string | undefined] {
  return [status, (body as { message?: string; error?: { message: string } } | null)?.error?.message];
}
