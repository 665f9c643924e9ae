/** Links in mails: they lead to the operator's own applications (`AUTH_APP_URL`) and to nowhere that a request names. */
import { AppError } from "../../core/errors";

/** Settings; `Config` fits. */
export type AppLinkConfig = { readonly AUTH_APP_URL: readonly string[] };

/**
 * The address that a link begins with: `asked`, which must be an entry of `AUTH_APP_URL` to the letter; without it the first
 * entry.
 * @throws AppError VALIDATION_ERROR `Invalid link`
 */
export function appAddress({ AUTH_APP_URL: entries }: AppLinkConfig, asked: string | undefined): string {
  const address = asked === undefined ? entries[0] : entries.find((entry) => entry === asked);
  if (address !== undefined) return address.replace(/\/+$/, "");
  throw new AppError("VALIDATION_ERROR", "Invalid link", [
    { field: "link", message: "must be one of the addresses in AUTH_APP_URL", rule: "allowed" },
  ]);
}

/** Where people sign in; null when no application is named. */
export function loginAddress({ AUTH_APP_URL: [first] }: AppLinkConfig): string | null {
  return first ?? null;
}
