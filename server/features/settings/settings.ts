/**
 * `baasix_Settings`: how an installation and each of its tenants present themselves, and how many sessions they allow. One row of
 * a tenant, one (with `tenant_Id` null) for all.
 */
import { system } from "../../core/access/actor";
import type { Rows } from "../../data";

const applying = system("settings apply to those who may not read them");

/**
 * What a row says; null: nothing. `mobile_session_limit`, `web_session_limit`: open sessions of the kind per account, 0 for none
 * and -1 for any number; `session_limit_roles`: the roles that are limited, by id or name, empty for all.
 */
export type Settings = {
  readonly project_name: string | null;
  readonly project_url: string | null;
  readonly project_logo_url: string | null;
  readonly project_color: string | null;
  readonly app_url: string | null;
  readonly mobile_session_limit: number | null;
  readonly web_session_limit: number | null;
  readonly session_limit_roles: readonly string[] | null;
};

const names = [
  "project_name",
  "project_url",
  "project_logo_url",
  "project_color",
  "app_url",
  "mobile_session_limit",
  "web_session_limit",
  "session_limit_roles",
] as const satisfies readonly (keyof Settings)[];

/** What holds in a tenant (null: outside of them): each value from its own row, else from the row for all. */
export async function settingsOf(rows: Pick<Rows, "read">, tenant: string | null): Promise<Settings> {
  const forAll = { tenant_Id: { isNull: true } };
  const { json } = await rows.read(applying, "baasix_Settings", {
    filter: tenant === null ? forAll : { OR: [forAll, { tenant_Id: { eq: tenant } }] },
    fields: ["tenant_Id", ...names],
    limit: 2,
    count: "none",
  });
  const found: readonly (Settings & { readonly tenant_Id: string | null })[] = JSON.parse(json);
  const own = tenant === null ? undefined : found.find(({ tenant_Id }) => tenant_Id === tenant);
  const common = found.find(({ tenant_Id }) => tenant_Id === null);
  const entries = names.map((name) => [name, own?.[name] ?? common?.[name] ?? null] as const);
  return Object.fromEntries(entries) as Settings;
}
