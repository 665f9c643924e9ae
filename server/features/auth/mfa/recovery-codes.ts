/**
 * Recovery codes: ten for each account with a second factor, in place of a code when the phone is lost, each once. 80 random
 * bits are enough for a plain hash: nobody tries them all, whatever is read from the database.
 */
import { createHash } from "node:crypto";
import { system } from "../../../core/access/actor";
import type { Data, Rows } from "../../../data";

const collection = "baasix_RecoveryCode";
const keeping = system("recovery codes are made and used up by the auth feature");

const count = 10;
/** Without the letters that are taken for digits (RFC 4648 has them, people misread them): 32 signs, 5 bits each. */
const signs = "0123456789abcdefghjkmnpqrstvwxyz";

/** Makes ten; those before are dead. Their texts are nowhere but in the answer. */
export async function replaceRecoveryCodes(rows: Rows, user: string): Promise<readonly string[]> {
  await removeRecoveryCodes(rows, user);
  const codes = Array.from({ length: count }, makeCode);
  await rows.create(
    keeping,
    collection,
    codes.map((code) => ({ user_Id: user, codeHash: hashOf(user, code) })),
  );
  return codes;
}

/** Ends all codes of an account. */
export async function removeRecoveryCodes(rows: Rows, user: string): Promise<void> {
  await rows.removeWhere(keeping, collection, { user_Id: { eq: user } });
}

/** Uses a code up: of any number at once exactly one is told true. `now` in ms since 1970. */
export async function spendRecoveryCode(
  rows: Rows,
  user: string,
  code: string,
  now: number,
): Promise<boolean> {
  const spent = await rows.updateWhere(
    keeping,
    collection,
    {
      AND: [
        { user_Id: { eq: user } },
        { codeHash: { eq: hashOf(user, code) } },
        { usedAt: { isNull: true } },
      ],
    },
    { usedAt: new Date(now).toISOString() },
  );
  return spent.length > 0;
}

/** How many an account has left. */
export async function countRecoveryCodes(data: Data, user: string): Promise<number> {
  const left = await data.find(keeping, collection, {
    filter: { AND: [{ user_Id: { eq: user } }, { usedAt: { isNull: true } }] },
    fields: ["id"],
    limit: count,
  });
  return left.length;
}

function makeCode(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const text = Array.from(bytes, (byte) => signs[byte & 31]).join("");
  return text.replace(/(.{4})(?!$)/g, "$1-");
}

/** However it was typed: letter case, spaces and dashes say nothing, and signs that look alike are one. */
function hashOf(user: string, code: string): string {
  const plain = code
    .slice(0, 100)
    .toLowerCase()
    .replace(/[^0-9a-z]/g, "")
    .replace(/[il]/g, "1")
    .replaceAll("o", "0")
    .replaceAll("u", "v");
  return createHash("sha256").update(`recovery code:${user}:${plain}`).digest("hex");
}
