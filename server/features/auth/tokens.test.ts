import { describe, expect, test } from "bun:test";
import { SignJWT, UnsecuredJWT } from "jose";
import { AppError } from "../../core/errors";
import { createTokens } from "./tokens";

const secret = { bytes: new TextEncoder().encode("a secret of the tests, at least 32 characters") };
const other = { bytes: new TextEncoder().encode("another secret, which also has 32 characters") };
const user = "0190a5c8-1f9e-4c6a-8f5e-0123456789ab";
const session = "0190a5c8-1f9e-4c6a-8f5e-ba9876543210";
const start = 1_800_000_000_000;
let now = start;
const options = { secret, config: { ACCESS_TOKEN_EXPIRES_IN: 900 }, clock: () => now };
const tokens = createTokens(options);

async function isRefused(token: string): Promise<boolean> {
  const error = await tokens.readAccess(token).catch((reason: unknown) => reason);
  return error instanceof AppError && error.code === "UNAUTHORIZED";
}

const claims = {
  sub: user,
  sid: session,
  iss: "baasix",
  aud: "baasix-api",
  purpose: "access",
  iat: start / 1000,
  exp: start / 1000 + 900,
};
type Parts = {
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  key?: Uint8Array;
  alg?: string;
};
const forge = ({ claims: changed, header, key = secret.bytes, alg = "HS256" }: Parts) =>
  new SignJWT({ ...claims, ...changed }).setProtectedHeader({ alg, typ: "JWT", ...header }).sign(key);

describe("access tokens", () => {
  test("carry user, session and end", async () => {
    const { token, expiresIn } = await tokens.signAccess({ user, session, notAfter: start + 86_400_000 });
    expect(expiresIn).toBe(900);
    expect(await tokens.readAccess(token)).toEqual({ user, session, expiresAt: start + 900_000 });
    expect(await tokens.readAccess(await forge({}))).toEqual({ user, session, expiresAt: start + 900_000 });
  });

  test("never outlive the session", async () => {
    const { expiresIn } = await tokens.signAccess({ user, session, notAfter: start + 60_500 });
    expect(expiresIn).toBe(60);
  });

  test("end at their second, except for those who want to log out", async () => {
    const { token } = await tokens.signAccess({ user, session, notAfter: start + 86_400_000 });
    now = start + 899_000;
    expect(await isRefused(token)).toBe(false);
    now = start + 900_000;
    expect(await isRefused(token)).toBe(true);
    expect((await tokens.readAccess(token, { expired: true })).session).toBe(session);
    now = start;
  });

  const forged: readonly (readonly [string, () => Promise<string> | string])[] = [
    ["no JWT", () => "abc"],
    ["an empty one", () => ".."],
    ["another key", () => forge({ key: other.bytes })],
    ["another algorithm", () => forge({ alg: "HS512", key: new Uint8Array(64) })],
    ["HS512 with our key", () => forge({ alg: "HS512", key: Buffer.concat([secret.bytes, secret.bytes]) })],
    ["no signature", () => new UnsecuredJWT(claims).encode()],
    ["a cut signature", async () => (await forge({})).slice(0, -10)],
    ["a changed claim", async () => swapPayload(await forge({}), { ...claims, sub: session })],
    ["a key by reference", () => forge({ header: { jku: "https://evil.test/keys" } })],
    ["a key of its own", () => forge({ header: { jwk: { kty: "oct", k: "AAAA" } } })],
    ["a key id", () => forge({ header: { kid: "../../etc/passwd" } })],
    ["another type", () => forge({ header: { typ: "at+jwt" } })],
    ["another issuer", () => forge({ claims: { iss: "elsewhere" } })],
    ["another audience", () => forge({ claims: { aud: "elsewhere" } })],
    ["another purpose", () => forge({ claims: { purpose: "reset" } })],
    ["no purpose", () => forge({ claims: { purpose: undefined } })],
    ["no session", () => forge({ claims: { sid: undefined } })],
    ["a session that is no id", () => forge({ claims: { sid: "' or 1=1" } })],
    ["a user that is no id", () => forge({ claims: { sub: "admin" } })],
    ["no end", () => forge({ claims: { exp: undefined } })],
    ["an end in the past", () => forge({ claims: { exp: start / 1000 - 1 } })],
    ["a start in the future", () => forge({ claims: { nbf: start / 1000 + 60 } })],
    ["3,000 characters", () => `${"a".repeat(1000)}.${"a".repeat(1000)}.${"a".repeat(1000)}`],
  ];

  test.each(forged)("refuse %s", async (_, make) => {
    expect(await isRefused(await make())).toBe(true);
  });
});

function swapPayload(token: string, payload: object): string {
  const [header, , signature] = token.split(".");
  return [header, Buffer.from(JSON.stringify(payload)).toString("base64url"), signature].join(".");
}

describe("refresh tokens", () => {
  const first = tokens.firstRefresh(session);

  test("name their session and differ each time", () => {
    expect(tokens.readRefresh(first)).toBe(session);
    expect(tokens.firstRefresh(session)).not.toBe(first);
  });

  test("have one successor, of the same session, which a second server computes alike", () => {
    const second = tokens.nextRefresh(first);
    expect(second).not.toBe(first);
    expect(createTokens(options).nextRefresh(first)).toBe(second);
    expect(tokens.readRefresh(second)).toBe(session);
    expect(createTokens({ ...options, secret: other }).nextRefresh(first)).not.toBe(second);
  });

  test("are known by their hash", () => {
    expect(tokens.hashRefresh(first)).toMatch(/^[0-9a-f]{64}$/);
    expect(tokens.hashRefresh(first)).not.toBe(tokens.hashRefresh(tokens.nextRefresh(first)));
  });

  const flipped = (at: number) => {
    const bytes = Buffer.from(first, "base64url");
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return bytes.toString("base64url");
  };
  const madeUp: readonly (readonly [string, string])[] = [
    ["empty text", ""],
    ["another session", flipped(0)],
    ["another chain value", flipped(20)],
    ["another tag", flipped(63)],
    ["padding", `${first}=`],
    ["other characters", `${first.slice(0, 85)}!`],
    ["another server's", createTokens({ ...options, secret: other }).firstRefresh(session)],
    ["random bytes", Buffer.from(crypto.getRandomValues(new Uint8Array(64))).toString("base64url")],
  ];

  test.each(madeUp)("refuse %s", (_, token) => {
    expect(tokens.readRefresh(token)).toBeNull();
  });
});
