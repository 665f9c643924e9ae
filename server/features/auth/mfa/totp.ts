/** Codes of authenticator apps (TOTP, RFC 6238: SHA-1, six digits, steps of 30 seconds). It knows neither rows nor clocks. */
import { Secret, TOTP } from "otpauth";

const kind = { algorithm: "SHA1", digits: 6, period: 30 } as const;

/** How many steps a clock may be off, before and behind. */
const tolerance = 1;

/** A new secret: 20 random bytes (RFC 4226, section 4) in base32. */
export function makeSecret(): string {
  return new Secret({ size: 20 }).base32;
}

/** The number of the step whose code this is, of those around `now` (ms since 1970); null: of none. */
export function stepOf(secret: string, code: string, now: number): number | null {
  if (!/^\d{6}$/.test(code)) return null;
  const totp = new TOTP({ ...kind, secret: Secret.fromBase32(secret) });
  const delta = totp.validate({ token: code, timestamp: now, window: tolerance });
  return delta === null ? null : TOTP.counter({ period: kind.period, timestamp: now }) + delta;
}

/** The address that apps read: `otpauth://totp/<issuer>:<account>?secret=…`. */
export function uriOf(secret: string, issuer: string, account: string): string {
  return new TOTP({ ...kind, issuer, label: account, secret: Secret.fromBase32(secret) }).toString();
}

/** A text as a QR code: an SVG with the quiet zone and the white ground that readers need (ISO/IEC 18004). */
export async function qrOf(text: string): Promise<string> {
  const { encodeQR } = await import("qr"); // not before the first one
  const svg = encodeQR(text, "svg", { ecc: "medium", border: 4 });
  return svg.replace(/<svg[^>]*>/, `$&<path d="M0 0h200v200H0Z" fill="#fff"/>`);
}
