/** What the SDK document says of magic links, passwords and mail addresses, call by call, with a real mail server. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type TestApp, testAdmin, testApp } from "../server/testing/app";
import { type MailServer, openMailServer } from "../server/testing/mail-server";
import type { Baasix } from ".";
import { failure, openClients } from "./testing/clients";

setDefaultTimeout(30_000);

let server: MailServer;
let app: TestApp;
let url: string;
let ahead = 0;
let people = 0;
const clients = openClients();

beforeAll(async () => {
  server = await openMailServer();
  app = await testApp({
    env: {
      SMTP_HOST: "127.0.0.1",
      SMTP_PORT: String(server.port),
      SMTP_SECURE: "none",
      MAIL_FROM: "no-reply@myapp.com",
      AUTH_APP_URL:
        "https://myapp.com/auth/verify,https://myapp.com/reset-password,https://myapp.com/verify-email",
    },
    now: () => Date.now() + ahead,
  });
  url = app.listen();
});
afterAll(async () => {
  await app.close();
  await server.close();
});

const client = (more: object = {}): Baasix => clients.open({ url, ...more });
const signedUp = async () => {
  const baasix = client();
  const email = `user${++people}@example.com`;
  const { user } = await baasix.auth.register({ email, password: "password123", firstName: "Ann" });
  return { baasix, email, id: user.id };
};
/** The link of the next mail and its token, or its code. */
const nextMail = async () => {
  const text = (await server.next()).mail.text ?? "";
  ahead += 60_000;
  const link = /https?:\/\/[^\s>]+/.exec(text)?.[0] ?? "";
  return {
    link,
    tokenFromUrl: link.split("/").at(-1) ?? "",
    code: /^\s*([0-9A-F]{12}|\d{6})\s*$/m.exec(text)?.[1] ?? "",
  };
};

test("magic link (passwordless)", async () => {
  const { email, id } = await signedUp();
  const baasix = client();
  await baasix.auth.sendMagicLink({ email, redirectUrl: "https://myapp.com/auth/verify" });
  const { link, tokenFromUrl } = await nextMail();
  expect(link).toStartWith("https://myapp.com/auth/verify/auth/magiclink/");
  const { user, token } = await baasix.auth.verifyMagicLink(tokenFromUrl);
  expect([user?.id, token]).toEqual([id, expect.any(String)] as never);
  expect((await baasix.auth.getUser())?.id).toBe(id);
  expect(await failure(client().auth.verifyMagicLink(tokenFromUrl))).toBe("INVALID_CREDENTIALS");
});

test("a code in place of the link, and a one-time code", async () => {
  const { email, id } = await signedUp();
  const [one, two] = [client(), client()];
  await one.auth.sendMagicLink({ email, mode: "code" });
  const first = await nextMail();
  expect((await one.auth.verifyMagicLink({ email, code: first.code })).user?.id).toBe(id);
  expect(await one.auth.isAuthenticated()).toBe(true);
  await two.auth.signInWithOtp({ email });
  const second = await nextMail();
  expect(second.code).toHaveLength(6);
  expect((await two.auth.verifyOtp({ email, code: second.code })).user?.id).toBe(id);
  expect((await two.auth.getUser())?.id).toBe(id);
});

test("password management", async () => {
  const { baasix, email } = await signedUp();
  await baasix.auth.forgotPassword({ email, redirectUrl: "https://myapp.com/reset-password" });
  const { link, tokenFromUrl } = await nextMail();
  expect(link).toStartWith("https://myapp.com/reset-password/auth/reset-password/");
  expect(await baasix.auth.checkResetToken(tokenFromUrl)).toBe(true);
  await baasix.auth.resetPassword(tokenFromUrl, "newSecurePassword");
  expect(await baasix.auth.checkResetToken(tokenFromUrl)).toBe(false);
  expect(await baasix.auth.checkSession()).toBe(false);

  await baasix.auth.login({ email, password: "newSecurePassword" });
  const elsewhere = client();
  await elsewhere.auth.login({ email, password: "newSecurePassword" });
  await baasix.auth.changePassword("newSecurePassword", "newPassword");
  expect([await baasix.auth.checkSession(), await elsewhere.auth.checkSession()]).toEqual([true, false]);
  expect(await failure(baasix.auth.changePassword("newSecurePassword", "newPassword"))).toBe(
    "INVALID_CREDENTIALS",
  );
  // For an address that nobody has, the same.
  await baasix.auth.forgotPassword({ email: "nobody@example.com" });
});

test("email verification", async () => {
  const { baasix } = await signedUp();
  await baasix.auth.requestEmailVerification("https://myapp.com/verify-email");
  const { link, tokenFromUrl } = await nextMail();
  expect(link).toStartWith("https://myapp.com/verify-email/auth/verify-email/");
  expect(await client().auth.verifyEmail(tokenFromUrl)).toMatchObject({ emailVerified: true });
  expect(await baasix.auth.getUser()).toMatchObject({ emailVerified: true });
  const { email, id } = await signedUp();
  await client().auth.requestEmailVerification({ email });
  const { tokenFromUrl: own } = await nextMail();
  const wrong = client().auth.verifyEmail(own, { password: "not the password" });
  expect(await failure(wrong)).toBe("INVALID_CREDENTIALS");
  const confirmed = await client().auth.verifyEmail(own, { password: "password123" });
  expect(confirmed).toEqual({ id, email, firstName: "Ann", lastName: null, emailVerified: true });
});

test("an address that somebody changed is taken back", async () => {
  const { baasix, email, id } = await signedUp();
  await baasix.auth.requestEmailVerification();
  await baasix.auth.verifyEmail((await nextMail()).tokenFromUrl);
  const admin = client();
  await admin.auth.login(testAdmin);
  const role = (await admin.roles.findByName("user"))?.id ?? "";
  const own = { fields: ["email"], conditions: { id: "$CURRENT_USER" } };
  await admin.permissions.createCrudPermissions(role, "baasix_User", { read: own, update: own });
  await baasix.items("baasix_User").update(id, { email: `other${people}@example.com` });
  const restored = await client().auth.undoEmailChange((await nextMail()).tokenFromUrl);
  expect([restored.id, restored.email]).toEqual([id, email]);
  expect(await baasix.auth.checkSession()).toBe(false);
});

test("a mailed code proves who one is", async () => {
  const { baasix } = await signedUp();
  await baasix.auth.requestReauthentication();
  const { code } = await nextMail();
  const { authenticatedAt } = await baasix.auth.reauthenticate({ code });
  expect(Number.isNaN(Date.parse(authenticatedAt))).toBe(false);
  expect(await failure(baasix.auth.reauthenticate({ code }))).toBe("INVALID_CREDENTIALS");
});

test("users that an administrator makes, and their passwords", async () => {
  const baasix = client();
  await baasix.auth.login(testAdmin);
  const role = await baasix.roles.findByName("user");
  const email = `Made${++people}@Example.com`;
  const userId = await baasix.users.create({
    email,
    password: "password123",
    firstName: "Made",
    role_Id: role?.id ?? "",
  });
  const person = client();
  const { user } = await person.auth.login({ email, password: "password123" });
  expect([user?.id, user?.email]).toEqual([String(userId), email.toLowerCase()]);
  await baasix.users.changePassword(userId, "newPassword");
  expect(await person.auth.checkSession()).toBe(false);
  await person.auth.login({ email, password: "newPassword" });
});

test("in cookie mode a link signs in without tokens for the page", async () => {
  const { email } = await signedUp();
  const baasix = client({ authMode: "cookie" });
  await baasix.auth.sendMagicLink({ email });
  const result = await baasix.auth.verifyMagicLink((await nextMail()).tokenFromUrl);
  expect(result).toMatchObject({ authMode: "cookie" });
  expect(result).not.toHaveProperty("refreshToken");
});
