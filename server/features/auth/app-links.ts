/**
 * Links in mails: they lead to the operator's own applications (`AUTH_APP_URL`, and `app_url` of `baasix_Settings` for all), to the
 * one that an administrator set for a tenant (`app_url` of its settings), and to nowhere else that a request names.
 */
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import { settingsOf } from "../settings";

/** Settings; `Config` fits. */
export type AppLinkConfig = { readonly AUTH_APP_URL: readonly string[]; readonly MULTI_TENANT: boolean };

/** What is asked for: `link` as a request names it; `tenant`: whose mail it is to be. */
export type AskedLink = { readonly link: string | undefined; readonly tenant: string | null };

/**
 * Where the links of a mail begin. `members`: for an account of the tenant; `others`: for any other one; null: it gets none, as
 * who runs the application of a tenant gets what is in the links to it.
 */
export type AppLink = { readonly members: string; readonly others: string | null };

/**
 * The address that a link begins with: `asked`, which must be an entry of `AUTH_APP_URL` to the letter; without it the first
 * entry.
 * @throws AppError VALIDATION_ERROR `Invalid link`
 */
export function appAddress(
  { AUTH_APP_URL: entries }: Pick<AppLinkConfig, "AUTH_APP_URL">,
  asked: string | undefined,
): string {
  const address = asked === undefined ? entries[0] : entries.find((entry) => entry === asked);
  if (address !== undefined) return withoutEnd(address);
  throw invalidLink();
}

/** The same where a tenant may have an application of its own, which comes first. @throws AppError VALIDATION_ERROR `Invalid link` */
export async function appLink(
  { config, data }: { readonly config: AppLinkConfig; readonly data: Data },
  { link: asked, ...mail }: AskedLink,
): Promise<AppLink> {
  const tenant = config.MULTI_TENANT ? mail.tenant : null;
  const { app_url: common } = await settingsOf(data, null);
  const own = tenant === null ? common : (await settingsOf(data, tenant)).app_url;
  const listed = common === null ? config.AUTH_APP_URL : [common, ...config.AUTH_APP_URL];
  const others = asked === undefined ? listed[0] : listed.find((entry) => entry === asked);
  const members = own !== null && (asked === undefined || asked === own) ? own : others;
  if (members === undefined) throw invalidLink();
  return { members: withoutEnd(members), others: others === undefined ? null : withoutEnd(others) };
}

/** Where people sign in; null when no application is named. */
export function loginAddress({ AUTH_APP_URL: [first] }: Pick<AppLinkConfig, "AUTH_APP_URL">): string | null {
  return first ?? null;
}

function withoutEnd(address: string): string {
  return address.replace(/\/+$/, "");
}

function invalidLink(): AppError {
  return new AppError("VALIDATION_ERROR", "Invalid link", [
    { field: "link", message: "must be one of the addresses in AUTH_APP_URL", rule: "allowed" },
  ]);
}
