/**
 * What a code is asked for: the second half of a sign-in, known by a token that opens nothing else, or a factor of an open
 * session. Rows of `baasix_MfaChallenge`, of 5 minutes and 5 tries; of a token they keep the SHA-256 hash.
 */
import { createHash } from "node:crypto";
import { system } from "../../../core/access/actor";
import { type Data, removeInBatches, type Rows } from "../../../data";
import type { SessionType } from "../session-limits";

const collection = "baasix_MfaChallenge";
const keeping = system("half-finished sign-ins are kept by the auth feature");

/** Milliseconds that a challenge holds, and how often a code may be tried on it. */
export const challengeLifetime = 5 * 60_000;
const mostTries = 5;

/** What the session will be opened with that a half-finished sign-in leads to. */
export type Opens = { readonly type: SessionType; readonly tenant: string | null };

/** A challenge of which a try was counted. */
export type Challenge = { readonly id: string; readonly user: string; readonly opens: Opens | null };

/** Which challenge is meant: of a sign-in, or of an account's own session and factor. */
export type ChallengeKey =
  | { readonly token: string }
  | { readonly id: string; readonly user: string; readonly session: string; readonly factor: string };

const iso = (time: number): string => new Date(time).toISOString();

/** Begins the second half of a sign-in; gives the token that stands for it. */
export async function openSignIn(rows: Rows, user: string, opens: Opens, now: number): Promise<string> {
  const token = `mfa_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")}`;
  const expiresAt = iso(now + challengeLifetime);
  await rows.create(keeping, collection, [
    { purpose: "sign-in", user_Id: user, tokenHash: hashOf(token), opens, expiresAt },
  ]);
  return token;
}

/** Asks a session for a code of a factor; gives the challenge's id and end (ISO 8601). */
export async function openChallenge(
  rows: Rows,
  asked: { readonly user: string; readonly session: string; readonly factor: string },
  now: number,
): Promise<{ readonly id: string; readonly expiresAt: string }> {
  const { user, session, factor } = asked;
  // One a session and factor: the one before is dead.
  const same = [{ session_Id: { eq: session } }, { factor_Id: { eq: factor } }];
  await rows.removeWhere(keeping, collection, { AND: same });
  const expiresAt = iso(now + challengeLifetime);
  const [id] = await rows.create(keeping, collection, [
    { purpose: "factor", user_Id: user, session_Id: session, factor_Id: factor, expiresAt },
  ]);
  return { id: String(id), expiresAt };
}

/**
 * Counts a try, before any code is looked at: many at once are not more tries. Null: there is no such challenge, it has ended or
 * had its tries. To be called outside transactions, as what fails must count.
 */
export async function tryChallenge(data: Data, key: ChallengeKey, now: number): Promise<Challenge | null> {
  const open = [{ usedAt: { isNull: true } }, { expiresAt: { gt: iso(now) } }, { tries: { lt: mostTries } }];
  // Each turn that is lost was a try of somebody else.
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop
    const [row] = await data.find<{ id: string; user_Id: string; opens: Opens | null; tries: number }>(
      keeping,
      collection,
      {
        filter: { AND: [...conditionsOf(key), ...open] },
        fields: ["id", "user_Id", "opens", "tries"],
        limit: 1,
      },
    );
    if (!row) return null;
    // oxlint-disable-next-line no-await-in-loop
    const counted = await data.updateWhere(
      keeping,
      collection,
      { AND: [{ id: { eq: row.id } }, { tries: { eq: row.tries } }] },
      { tries: row.tries + 1 },
    );
    if (counted.length > 0) return { id: row.id, user: row.user_Id, opens: row.opens };
  }
}

/** Uses a challenge up: of any number at once exactly one is told true. */
export async function spendChallenge(rows: Rows, id: string, now: number): Promise<boolean> {
  const unused = { AND: [{ id: { eq: id } }, { usedAt: { isNull: true } }] };
  return (await rows.updateWhere(keeping, collection, unused, { usedAt: iso(now) })).length > 0;
}

/** Ends all challenges of an account: its password or its factors changed. */
export async function endChallenges(rows: Rows, user: string): Promise<void> {
  await rows.removeWhere(keeping, collection, { user_Id: { eq: user } });
}

/** Deletes the challenges that ended before `now` (ms since 1970); gives how many. For an hourly run. */
export function removeExpiredChallenges(data: Data, now: number): Promise<number> {
  return removeInBatches(data, keeping, collection, { expiresAt: { lt: iso(now) } });
}

function conditionsOf(key: ChallengeKey): readonly object[] {
  if ("token" in key) return [{ purpose: { eq: "sign-in" } }, { tokenHash: { eq: hashOf(key.token) } }];
  return [
    { purpose: { eq: "factor" } },
    { id: { eq: key.id } },
    { user_Id: { eq: key.user } },
    { session_Id: { eq: key.session } },
    { factor_Id: { eq: key.factor } },
  ];
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
