/** Which second factors an account has, as sign-in asks. Their secrets are `factors.ts`'. */
import type { MfaFactor, MfaFactorSummary } from "@baasix/types";
import { system } from "../../../core/access/actor";
import type { Data } from "../../../data";

export const factorCollection = "baasix_Factor";
const reading = system("sign-in asks which second factors an account has");

/** How many an account may have; far more than anybody has phones. */
export const mostFactors = 10;

/** All of them, those that were never verified too, the oldest first. */
export function listFactors(data: Data, user: string): Promise<readonly MfaFactor[]> {
  return data.find<MfaFactor>(reading, factorCollection, {
    filter: { user_Id: { eq: user } },
    fields: ["id", "type", "friendlyName", "status", "createdAt", "verifiedAt"],
    sort: ["createdAt", "id"],
    limit: -1,
  });
}

/** Those that a sign-in asks for. */
export async function verifiedFactors(data: Data, user: string): Promise<readonly MfaFactorSummary[]> {
  const all = await listFactors(data, user);
  return all
    .filter(({ status }) => status === "verified")
    .map(({ id, type, friendlyName }) => ({ id, type, friendlyName }));
}
