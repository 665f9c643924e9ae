/**
 * What a browser takes back to an application: a text that works once and for a minute, and stands for who the provider said it
 * is. It is a proof of nothing by itself where the application began with a challenge (PKCE, RFC 7636): whoever reads it in an
 * address lacks the verifier, and a page that is lured to somebody else's has not the right one.
 */
import { timingSafeEqual } from "node:crypto";
import { calculatePKCECodeChallenge } from "oauth4webapi";
import { z } from "zod";
import { AppError } from "../../core/errors";
import type { OAuthParts } from "./parts";
import type { Identity } from "./provider";

/** What the application will have to show. */
export const challengeSchema = z.object({ method: z.enum(["plain", "S256"]), value: z.string() });
export type Challenge = Readonly<z.output<typeof challengeSchema>>;

/** The account, and its session, that asked for a link. */
export const linkSchema = z.object({ user: z.string(), session: z.string() });
export type LinkFor = Readonly<z.output<typeof linkSchema>>;

const identitySchema = z.object({
  provider: z.string(),
  subject: z.string(),
  email: z.string().nullable(),
  emailVerified: z.boolean(),
  firstName: z.string().nullable(),
  lastName: z.string().nullable(),
});
const proofSchema = z.object({
  identity: identitySchema,
  challenge: challengeSchema.nullable(),
  link: linkSchema.nullable(),
  tenant: z.string().nullish(),
});

/** Who it is, and what for: a sign-in (into `tenant`, where one was named), or a link to an account (`link`). */
export type Proof = {
  readonly identity: Identity;
  readonly challenge: Challenge | null;
  readonly link: LinkFor | null;
  readonly tenant: string | null;
};

/** What a proof was good for. */
export type Used = Pick<Proof, "identity" | "tenant">;

/** Makes the text. */
export async function issueProof({ auth }: OAuthParts, proof: Proof): Promise<string> {
  const subject = crypto.randomUUID();
  return (await auth.oneTimes.create(auth.data, { kind: "oauth-proof", subject, data: proof })).text;
}

/**
 * Uses a proof up. `link`: who asks for a link; null at a sign-in. A wrong verifier or a wrong session leaves it as it was: they
 * show that it was not for who asks.
 * @throws AppError INVALID_CREDENTIALS
 */
export async function useProof(
  { auth }: OAuthParts,
  token: string,
  verifier: string | null,
  link: LinkFor | null,
): Promise<Used> {
  const found = await auth.oneTimes.find(auth.data, "oauth-proof", token);
  const proof = proofSchema.safeParse(found?.data).data;
  if (!proof || !isMeant(proof.link, link) || !(await meets(proof.challenge, verifier))) throw unusable();
  const used = await auth.oneTimes.consume(auth.data, "oauth-proof", token);
  if (used === null) throw unusable();
  // It tells who somebody is: not for longer than it is of use.
  await auth.oneTimes.end(auth.data, used.subject, ["oauth-proof"]);
  return { identity: proof.identity, tenant: proof.tenant ?? null };
}

function isMeant(link: LinkFor | null, asking: LinkFor | null): boolean {
  return link?.user === asking?.user && link?.session === asking?.session;
}

async function meets(challenge: Challenge | null, verifier: string | null): Promise<boolean> {
  // A verifier for a sign-in that began without one: it was another sign-in.
  if (challenge === null || verifier === null) return challenge === verifier;
  const shown = challenge.method === "plain" ? verifier : await calculatePKCECodeChallenge(verifier);
  const [found, expected] = [Buffer.from(shown), Buffer.from(challenge.value)];
  return found.length === expected.length && timingSafeEqual(found, expected);
}

function unusable(): AppError {
  return new AppError("INVALID_CREDENTIALS", "Invalid or expired token");
}
