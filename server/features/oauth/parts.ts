/** What the routes of other sign-in providers work with. */
import type { AuthParts } from "../auth";
import { AppError } from "../../core/errors";
import type { Protocol } from "./protocol";
import type { Provider } from "./provider";

/** `auth`: the parts that all ways in share. */
export type OAuthParts = {
  readonly auth: AuthParts;
  readonly protocol: Protocol;
  readonly providers: ReadonlyMap<string, Provider>;
  readonly config: {
    readonly NODE_ENV: "development" | "production" | "test";
    /** Where browsers reach this server; undefined outside production: as the request says. */
    readonly BASE_URL?: string | undefined;
    readonly AUTH_SERVICES_ENABLED: readonly string[];
  };
};

/** The provider of a name. @throws AppError VALIDATION_ERROR */
export function providerOf({ providers }: OAuthParts, name: string): Provider {
  const provider = providers.get(name);
  if (provider) return provider;
  throw new AppError("VALIDATION_ERROR", `Provider '${name.slice(0, 64)}' not found`);
}

/** Where the provider leads browsers back to on this server. */
export function callbackOf({ config }: OAuthParts, { name }: Provider, request: Request): string {
  return `${baseOf(config, request)}/auth/callback/${name}`;
}

/** The address of this server. Made up by the client of a request outside production alone: there settings must say it. */
export function baseOf({ BASE_URL }: OAuthParts["config"], request: Request): string {
  return BASE_URL ?? new URL(request.url).origin;
}
