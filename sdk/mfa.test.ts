/** Second factors through the client, against a real server: the calls of a settings page and of a sign-in page. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Secret, TOTP } from "otpauth";
import { type TestApp, testAdmin, testApp } from "../server/testing/app";
import type { AuthMode, Baasix } from ".";
import { failure, openClients } from "./testing/clients";

let app: TestApp;
let time = Date.now();
const clients = openClients();

beforeAll(async () => {
  app = await testApp({ now: () => time });
});
afterAll(() => app.close());

const client = (authMode: AuthMode = "jwt"): Baasix => clients.open({ url: app.listen(), authMode });
/** What the app on the phone shows, a minute later. */
const nextCode = (secret: string): string => {
  time += 60_000;
  return new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: time });
};

test("a factor is enrolled, asked for at sign-in, renewed and removed", async () => {
  const account = { email: "ada@example.com", password: "password123" };
  const baasix = client();
  await baasix.auth.register({ ...account, firstName: "Ada" });
  expect(await baasix.auth.mfa.getLevel()).toMatchObject({ currentLevel: "aal1", nextLevel: "aal1" });
  const { id: factorId, qrCode, secret, uri } = await baasix.auth.mfa.enroll({ friendlyName: "Phone" });
  expect([qrCode.slice(0, 4), uri.slice(0, 15)]).toEqual(["<svg", "otpauth://totp/"]);
  expect(await failure(baasix.auth.mfa.verify({ factorId, code: "abcdef" }))).toBe("INVALID_CREDENTIALS");
  const events: string[] = [];
  baasix.auth.onStateChange((event) => events.push(event));
  const verified = await baasix.auth.mfa.verify({ factorId, code: nextCode(secret) });
  expect([verified.aal, verified.recoveryCodes?.length]).toEqual([2, 10]);
  // The client goes on with the new session, tokens and all.
  expect((await baasix.auth.getUser())?.email).toBe(account.email);
  await baasix.auth.refreshToken();
  expect(events).toContain("TOKEN_REFRESHED");
  expect(events).not.toContain("SIGNED_OUT");
  expect(await baasix.auth.mfa.getLevel()).toEqual({
    currentLevel: "aal2",
    nextLevel: "aal2",
    mfaEnrollmentRequired: false,
    recoveryCodesLeft: 10,
  });
  expect(await baasix.auth.mfa.listFactors()).toMatchObject([{ id: factorId, status: "verified" }]);

  const other = client();
  const first = await other.auth.login(account);
  if (!first.mfaRequired) throw new Error("it should have asked for the second factor");
  expect(first.factors).toEqual([{ id: factorId, type: "totp", friendlyName: "Phone" }]);
  expect([await other.auth.isAuthenticated(), await other.auth.getToken()]).toEqual([false, null]);
  const { mfaToken } = first;
  const wrong = other.auth.mfa.finishSignIn({ mfaToken, recoveryCode: "not one of them" });
  expect(await failure(wrong)).toBe("INVALID_CREDENTIALS");
  const { user } = await other.auth.mfa.finishSignIn({ mfaToken, code: nextCode(secret) });
  expect([user.email, (await other.auth.getUser())?.email]).toEqual([account.email, account.email]);

  const challenge = await other.auth.mfa.challenge({ factorId });
  await other.auth.mfa.verify({ factorId, challengeId: challenge.id, code: nextCode(secret) });
  expect(await other.auth.mfa.regenerateRecoveryCodes()).toHaveLength(10);
  // Which ended the other sessions.
  expect(await baasix.auth.checkSession()).toBe(false);
  await other.auth.mfa.unenroll({ factorId });
  expect(await other.auth.mfa.getLevel()).toMatchObject({ currentLevel: "aal1", recoveryCodesLeft: 0 });
  expect((await client().auth.login(account)).mfaRequired).toBeUndefined();
});

test("a role that asks for one lets in to get one; an administrator takes a lost one away", async () => {
  const boss = client();
  await boss.auth.login(testAdmin);
  const role = String(await boss.roles.create({ name: "accountants", enforceTotp: true }));
  const account = { email: "eve@example.com", password: "password123" };
  const user = String(await boss.users.create({ ...account, firstName: "Eve", role_Id: role }));
  const baasix = client();
  const signedIn = await baasix.auth.login(account);
  expect([signedIn.mfaRequired, !signedIn.mfaRequired && signedIn.mfaEnrollmentRequired]).toEqual([
    undefined,
    true,
  ]);
  expect(await failure(baasix.items("baasix_Role").find())).toBe("MFA_REQUIRED");
  expect(await failure(baasix.auth.getUser())).toBe("MFA_REQUIRED");
  const { id: factorId, secret } = await baasix.auth.mfa.enroll();
  await baasix.auth.mfa.verify({ factorId, code: nextCode(secret) });
  expect((await baasix.auth.getUser())?.id).toBe(user);
  expect(await failure(baasix.auth.mfa.unenroll({ factorId }))).toBe("FORBIDDEN");
  expect(await boss.users.removeFactors(user)).toBe(1);
  expect(await baasix.auth.checkSession()).toBe(false);
});
