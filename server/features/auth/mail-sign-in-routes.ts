/** Signing in by mail over HTTP: links and codes. */
import { Elysia } from "elysia";
import type { AuthMode } from "@baasix/types";
import { answer, documented, guardCookieLink, guardCookieMode, originOf, signedInAnswer } from "./answers";
import { shownProof } from "./first-proof";
import { type MailedSecret, requestMagicLink, requestOtp, signInByMail } from "./mail-sign-in";
import {
  checked,
  checkedType,
  magicLinkBody,
  otpBody,
  requireTexts,
  useMagicLinkBody,
  useOtpBody,
} from "./model";
import type { AuthParts } from "./parts";
import type { WantedSession } from "./finish-sign-in";

const told = { message: "Instruction sent to your email" };

/** Mounts them. */
export function mailSignInRoutes(parts: AuthParts) {
  return new Elysia({ name: "auth mail sign-in" })
    .post(
      "/auth/magiclink",
      ({ body, request }) => askLink(body, request),
      documented("Ask for a link or a code to sign in with, by mail", magicLinkBody),
    )
    .post(
      "/auth/magiclink/verify",
      ({ body, request }) => useLink(body, request),
      documented("Sign in with the token of a link, or with a code and its address", useMagicLinkBody),
    )
    .get(
      "/auth/magiclink/:token",
      ({ params, request }) => followLink(params.token, request),
      documented("Sign in with the token of a link"),
    )
    .post(
      "/auth/otp",
      ({ body, request }) => askOtp(body, request),
      documented("Ask for a one-time code of six digits, by mail", otpBody),
    )
    .post(
      "/auth/otp/verify",
      ({ body, request }) => useOtp(body, request),
      documented("Sign in with a one-time code", useOtpBody),
    );

  async function askLink(body: unknown, request: Request): Promise<Response> {
    requireTexts(body, ["email"], "Email is required");
    const { email, mode, link, redirectUrl, tenant_Id: tenant } = checked(magicLinkBody, body);
    await requestMagicLink(parts, { email, mode, link: link ?? redirectUrl, tenant }, originOf(request));
    return answer(told);
  }

  function useLink(body: unknown, request: Request): Promise<Response> {
    const { token, email, code, authMode, authType, tenant_Id } = checkedType(useMagicLinkBody, body);
    guardCookieMode(parts, authMode, request);
    if (!token)
      requireTexts({ email, code }, ["email", "code"], "A token, or an email and a code, are required");
    const secret = token
      ? { token }
      : ({ kind: "magic-link", email: email ?? "", code: code ?? "" } as const);
    return signIn(secret, authMode, { type: authType, tenant: tenant_Id }, request);
  }

  function followLink(token: string, request: Request): Promise<Response> {
    const query = Object.fromEntries(new URL(request.url).searchParams);
    const { authMode, authType, tenant_Id } = checkedType(
      useMagicLinkBody.pick({ authMode: true, authType: true, tenant_Id: true }),
      query,
    );
    guardCookieLink(parts, authMode, request);
    return signIn({ token }, authMode, { type: authType, tenant: tenant_Id }, request);
  }

  function askOtp(body: unknown, request: Request): Response {
    requireTexts(body, ["email"], "Email is required");
    const { email, tenant_Id: tenant } = checked(otpBody, body);
    requestOtp(parts, { email, tenant }, originOf(request));
    return answer(told);
  }

  function useOtp(body: unknown, request: Request): Promise<Response> {
    requireTexts(body, ["email", "code"], "Email and code are required");
    const { email, code, authMode, authType, tenant_Id } = checkedType(useOtpBody, body);
    guardCookieMode(parts, authMode, request);
    const wanted = { type: authType, tenant: tenant_Id };
    return signIn({ kind: "otp", email, code }, authMode, wanted, request);
  }

  async function signIn(
    secret: MailedSecret,
    authMode: AuthMode,
    wanted: WantedSession,
    request: Request,
  ): Promise<Response> {
    const signedIn = await signInByMail(parts, secret, wanted, originOf(request));
    return signedInAnswer(parts, signedIn.result, authMode, undefined, shownProof(signedIn.firstProof));
  }
}
