/** ID tokens that an application got from a provider by itself: each opens something once. */
import { createHash } from "node:crypto";
import { system } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { OAuthParts } from "./parts";
import type { GivenIdToken } from "./protocol";
import type { Identity, Provider } from "./provider";

const keeping = system("ID tokens that were used are remembered until they end");

/** Who it is about. @throws AppError INVALID_CREDENTIALS `Invalid ID token`, UNAVAILABLE */
export async function useIdToken(
  { auth, protocol }: OAuthParts,
  provider: Provider,
  given: GivenIdToken,
): Promise<Identity> {
  const { profile, expiresAt } = await protocol.readIdToken(provider, given).catch((error: unknown) => {
    throw error instanceof AppError && error.code === "INVALID_CREDENTIALS" ? invalid(error) : error;
  });
  const value = createHash("sha256").update(given.token).digest("hex");
  // The unique index is the judge: of two at once one gets in.
  const used = { usedAt: new Date(auth.clock()).toISOString(), expiresAt: new Date(expiresAt).toISOString() };
  await auth.data
    .create(keeping, "baasix_Verification", [{ identifier: `id-token:${value}`, value, ...used }])
    .catch((error: unknown) => {
      throw error instanceof AppError && error.code === "UNIQUE_VIOLATION" ? invalid(error) : error;
    });
  return { provider: provider.name, ...profile };
}

function invalid(cause: AppError): AppError {
  return new AppError("INVALID_CREDENTIALS", "Invalid ID token", null, { cause });
}
