import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { decodeProtectedHeader, SignJWT, UnsecuredJWT } from "jose";
import { AppError } from "../../core/errors";
import { deriveKey } from "./secret";
import { createTokens } from "./tokens";

const secret = { bytes: new TextEncoder().encode("a secret of the tests, at least 32 characters") };
const other = { bytes: new TextEncoder().encode("another secret, which also has 32 characters") };
const user = "0190a5c8-1f9e-4c6a-8f5e-0123456789ab";
const session = "0190a5c8-1f9e-4c6a-8f5e-ba9876543210";
const start = 1_800_000_000_000;
let now = start;
const options = { secret, config: { ACCESS_TOKEN_EXPIRES_IN: 900 }, clock: () => now };
const tokens = createTokens(options);
const key = deriveKey(secret, "access 1");
/** What the tokens of a secret call their key. */
const kidOf = async (from = tokens): Promise<string> => {
  const { token } = await from.signAccess({ user, session, notAfter: start + 86_400_000 });
  return decodeProtectedHeader(token).kid ?? "";
};
const kid = await kidOf();

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
const forge = ({ claims: changed, header, key: signer = key, alg = "HS256" }: Parts) =>
  new SignJWT({ ...claims, ...changed }).setProtectedHeader({ alg, typ: "JWT", kid, ...header }).sign(signer);

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
    ["another key", () => forge({ key: deriveKey(other, "access 1") })],
    ["the secret itself as key", () => forge({ key: secret.bytes })],
    ["the key of another use", () => forge({ key: deriveKey(secret, "refresh tag 1") })],
    ["another algorithm", () => forge({ alg: "HS512", key: new Uint8Array(64) })],
    ["HS512 with our key", () => forge({ alg: "HS512", key: Buffer.concat([key, key]) })],
    ["a public key's algorithm with our key as its text", () => relabel({ alg: "RS256" })],
    ["an algorithm that the header denies", () => relabel({ alg: "none" })],
    ["an algorithm in capitals", () => relabel({ alg: "NONE" })],
    ["no signature", () => new UnsecuredJWT(claims).encode()],
    ["a cut signature", async () => (await forge({})).slice(0, -10)],
    ["a changed claim", async () => swapPayload(await forge({}), { ...claims, sub: session })],
    ["a key by reference", () => forge({ header: { jku: "https://evil.test/keys" } })],
    ["a key of its own", () => forge({ header: { jwk: { kty: "oct", k: "AAAA" } } })],
    ["a certificate by reference", () => forge({ header: { x5u: "https://evil.test/cert" } })],
    ["a certificate of its own", () => forge({ header: { x5c: ["AAAA"] } })],
    ["a critical extension", () => relabel({ alg: "HS256", crit: ["exp"] })],
    ["an unencoded payload", () => forge({ header: { b64: true } })],
    ["a path as key id", () => forge({ header: { kid: "../../etc/passwd" } })],
    ["a name of the prototype as key id", () => forge({ header: { kid: "__proto__" } })],
    ["no key id", () => forge({ header: { kid: undefined } })],
    ["a number as key id", () => forge({ header: { kid: 1 } })],
    [
      "the key id of another secret",
      async () => forge({ header: { kid: await kidOf(createTokens({ ...options, secret: other })) } }),
    ],
    ["another type", () => forge({ header: { typ: "at+jwt" } })],
    ["another issuer", () => forge({ claims: { iss: "elsewhere" } })],
    ["another audience", () => forge({ claims: { aud: "elsewhere" } })],
    ["several audiences without ours", () => forge({ claims: { aud: ["elsewhere", "baasix"] } })],
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

/** Good claims under a header that no library would write, with our HMAC-SHA-256 over both. */
function relabel(header: object): string {
  const [head, payload] = [{ typ: "JWT", kid, ...header }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString("base64url"),
  );
  const signature = createHmac("sha256", key).update(`${head}.${payload}`).digest("base64url");
  return `${head}.${payload}.${signature}`;
}

describe("a new secret", () => {
  const rotated = createTokens({ ...options, secret: { ...other, previous: [secret] } });
  const forgotten = createTokens({ ...options, secret: other });
  const made = async (from = tokens) =>
    (await from.signAccess({ user, session, notAfter: start + 86_400_000 })).token;

  test("takes access tokens of the earlier one until they end, and signs under its own key id", async () => {
    expect(await rotated.readAccess(await made())).toMatchObject({ user, session });
    expect(decodeProtectedHeader(await made(rotated))).toEqual({
      alg: "HS256",
      typ: "JWT",
      kid: await kidOf(forgotten),
    });
    const token = await made();
    now = start + 900_000;
    expect(rotated.readAccess(token)).rejects.toThrow("Invalid or expired token");
    now = start;
  });

  test("is unknown to servers that have the earlier one alone", async () => {
    expect(await isRefused(await made(rotated))).toBe(true);
    expect(forgotten.readAccess(await made())).rejects.toThrow("Invalid or expired token");
  });

  test("carries refresh tokens of the earlier one on as its own", () => {
    const old = tokens.firstRefresh(session);
    expect(rotated.readRefresh(old)).toBe(session);
    expect(forgotten.readRefresh(old)).toBeNull();
    const next = rotated.nextRefresh(old);
    expect(forgotten.readRefresh(next)).toBe(session);
    expect(tokens.readRefresh(next)).toBeNull();
  });

  test("finds the successor that another server gave under the earlier one", () => {
    const old = tokens.firstRefresh(session);
    const given = tokens.nextRefresh(old);
    expect(rotated.successorOf(old, tokens.hashRefresh(given))).toBe(given);
    expect(rotated.successorOf(old, tokens.hashRefresh(rotated.nextRefresh(old)))).toBe(
      rotated.nextRefresh(old),
    );
    expect(rotated.successorOf(old, tokens.hashRefresh("another"))).toBeNull();
  });
});

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
