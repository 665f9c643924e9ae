/** Second factors as rows of `baasix_Factor`: made, proven by codes of which each step counts once, and removed. */
import type { MfaFactor, NewMfaFactor } from "@baasix/types";
import { system } from "../../../core/access/actor";
import { AppError } from "../../../core/errors";
import type { Data, Rows } from "../../../data";
import { endChallenges } from "./challenges";
import { removeRecoveryCodes } from "./recovery-codes";
import { factorCollection as collection, listFactors, mostFactors } from "./rows";
import type { FactorSeal } from "./seal";
import { makeSecret, qrOf, stepOf, uriOf } from "./totp";

const keeping = system("second factors and their secrets are kept by the auth feature");

/** A code that is right for a step of a factor, and was not used up yet. */
export type Match = { readonly factor: string; readonly status: MfaFactor["status"]; readonly step: number };

export type Factors = {
  /**
   * Makes a factor that counts once a code was typed; one that was begun before and never verified is gone. The answer alone
   * tells its secret. @throws AppError CONFLICT when the account has as many as it may
   */
  readonly enroll: (
    rows: Data,
    user: string,
    shown: { readonly friendlyName: string; readonly account: string },
  ) => Promise<NewMfaFactor>;
  /** What a code is right for: one factor of the account, verified or not, or any verified one. */
  readonly match: (user: string, code: string, factor: string | "verified") => Promise<Match | null>;
  /**
   * Uses a step up and verifies the factor: of any number at once, here and elsewhere, exactly one is told true; false also for
   * steps before one that was used, and when the factor is gone.
   */
  readonly spend: (rows: Rows, match: Match) => Promise<boolean>;
};

type SecretRow = {
  readonly id: string;
  readonly status: MfaFactor["status"];
  readonly secret: string;
  readonly lastStep: number | null;
};

/** Makes the functions. `issuer`: what apps show beside the account; `clock` in ms since 1970. */
export function createFactors({
  data,
  seal,
  issuer,
  clock,
}: {
  readonly data: Data;
  readonly seal: FactorSeal;
  readonly issuer: string;
  readonly clock: () => number;
}): Factors {
  return {
    enroll: async (rows, user, { friendlyName, account }) => {
      const unverified = { AND: [{ user_Id: { eq: user } }, { status: { eq: "unverified" } }] };
      await rows.removeWhere(keeping, collection, unverified);
      if ((await listFactors(rows, user)).length >= mostFactors) {
        throw new AppError(
          "CONFLICT",
          `An account has ${mostFactors} second factors at most; remove one first`,
        );
      }
      const id = crypto.randomUUID();
      const secret = makeSecret();
      const sealed = { secret: await seal.close(id, secret), keyId: seal.keyId };
      await rows.create(keeping, collection, [{ id, user_Id: user, type: "totp", friendlyName, ...sealed }]);
      const uri = uriOf(secret, issuer, account);
      return { id, type: "totp", friendlyName, qrCode: await qrOf(uri), secret, uri };
    },

    match: async (user, code, factor) => {
      const which = factor === "verified" ? { status: { eq: "verified" } } : { id: { eq: factor } };
      const found = await data.find<SecretRow>(keeping, collection, {
        filter: { AND: [{ user_Id: { eq: user } }, which] },
        fields: ["id", "status", "secret", "lastStep"],
        limit: mostFactors,
      });
      const now = clock();
      const matches = await Promise.all(
        found.map(async ({ id, status, secret, lastStep }): Promise<Match | null> => {
          const step = stepOf(await seal.open(id, secret), code.replace(/\s+/g, ""), now);
          return step === null || step <= (lastStep ?? -1) ? null : { factor: id, status, step };
        }),
      );
      return matches.find((match) => match !== null) ?? null;
    },

    spend: async (rows, { factor, status, step }) => {
      const spent = await rows.updateWhere(
        keeping,
        collection,
        {
          AND: [
            { id: { eq: factor } },
            { status: { eq: status } },
            { OR: [{ lastStep: { isNull: true } }, { lastStep: { lt: step } }] },
          ],
        },
        {
          lastStep: step,
          ...(status === "unverified" && { status: "verified", verifiedAt: new Date(clock()).toISOString() }),
        },
      );
      return spent.length > 0;
    },
  };
}

/** Deletes one factor of an account; false when it has no such factor. With the last verified one its recovery codes go. */
export async function removeFactor(rows: Data, user: string, factor: string): Promise<boolean> {
  const filter = { AND: [{ id: { eq: factor } }, { user_Id: { eq: user } }] };
  if ((await rows.removeWhere(keeping, collection, filter)).length === 0) return false;
  const left = await listFactors(rows, user);
  if (left.every(({ status }) => status !== "verified")) await removeRecoveryCodes(rows, user);
  return true;
}

/** Deletes all factors of an account, its recovery codes and half-finished sign-ins. */
export async function removeAllFactors(rows: Data, user: string): Promise<void> {
  await rows.removeWhere(keeping, collection, { user_Id: { eq: user } });
  await removeRecoveryCodes(rows, user);
  await endChallenges(rows, user);
}

/**
 * Seals under the key in use what an earlier one has sealed, so that an earlier secret of the server can be forgotten one day;
 * gives how many. For an hourly run.
 */
export async function sealFactorsAnew(data: Data, seal: FactorSeal): Promise<number> {
  let sealed = 0;
  // By key, as those whose own key is lost stay as they are.
  for (let last = "00000000-0000-0000-0000-000000000000"; ;) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other, to leave the pool to requests
    const found = await data.find<SecretRow>(keeping, collection, {
      filter: { AND: [{ keyId: { ne: seal.keyId } }, { id: { gt: last } }] },
      fields: ["id", "secret"],
      sort: ["id"],
      limit: 100,
    });
    for (const row of found) {
      // oxlint-disable-next-line no-await-in-loop
      sealed += await sealAnew(data, seal, row);
    }
    const end = found.at(-1);
    if (end === undefined) return sealed;
    last = end.id;
  }
}

async function sealAnew(data: Data, seal: FactorSeal, { id, secret }: SecretRow): Promise<number> {
  const opened = await seal.open(id, secret).catch(() => null);
  // Its key is lost: nothing can be done about it here, and an administrator can remove the factor.
  if (opened === null) return 0;
  const anew = { secret: await seal.close(id, opened), keyId: seal.keyId };
  const filter = { AND: [{ id: { eq: id } }, { secret: { eq: secret } }] };
  return (await data.updateWhere(keeping, collection, filter, anew)).length;
}
