/** Config → the providers that one can sign in with. */
import type { Config } from "./config";
import {
  apple,
  type AppleCredentials,
  facebook,
  github,
  google,
  openIdConnect,
  type Provider,
} from "./features/oauth";

/** Those that are enabled, by name. What a service needs was checked with the config. */
export function providersOf(config: Config): ReadonlyMap<string, Provider> {
  const known = config.AUTH_SERVICES_ENABLED.flatMap((service): Provider[] => {
    switch (service) {
      case "GOOGLE":
        return credentials(config.GOOGLE_CLIENT_ID, config.GOOGLE_CLIENT_SECRET).map(google);
      case "FACEBOOK":
        return credentials(config.FACEBOOK_CLIENT_ID, config.FACEBOOK_CLIENT_SECRET).map(facebook);
      case "GITHUB":
        return credentials(config.GITHUB_CLIENT_ID, config.GITHUB_CLIENT_SECRET).map((given) =>
          github({ ...given, site: config.GITHUB_URL ?? null }),
        );
      case "APPLE":
        return credentials(config.APPLE_CLIENT_ID, "").map(({ clientIds }) =>
          apple({ clientIds, key: appleKey(config) }),
        );
      case "LOCAL":
        return [];
    }
  });
  const all = [...known, ...config.OIDC_PROVIDERS.map(openIdConnect)];
  return new Map(all.map((provider) => [provider.name, provider]));
}

function credentials([first, ...more]: readonly string[], secret: string | undefined) {
  if (first === undefined || secret === undefined) return [];
  return [{ clientIds: [first, ...more] as const, secret }];
}

function appleKey(config: Config): AppleCredentials["key"] {
  if (config.APPLE_CLIENT_SECRET !== undefined) return { secret: config.APPLE_CLIENT_SECRET };
  const { APPLE_TEAM_ID: teamId = "", APPLE_KEY_ID: keyId = "", APPLE_PRIVATE_KEY: privateKey = "" } = config;
  return { teamId, keyId, privateKey };
}
