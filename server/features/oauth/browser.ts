/** What binds a sign-in to the browser that began it: a cookie for each, which no script reads. */
import { createHash, timingSafeEqual } from "node:crypto";

export type BindingConfig = { readonly NODE_ENV: "development" | "production" | "test" };

/** Seconds. */
const lifetime = 600;

/** A binding that was made: what is kept of it, and the cookie. */
export type Binding = { readonly hash: string; readonly cookie: string };

/** `crossSite`: the provider's page will post the answer, which takes a cookie that other sites' pages may send along. */
export function bind(
  config: BindingConfig,
  state: string,
  options: { readonly crossSite: boolean },
): Binding {
  const value = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");
  return { hash: hashOf(value), cookie: cookie(config, state, value, { ...options, maxAge: lifetime }) };
}

/** `Set-Cookie` that removes it. */
export function unbind(
  config: BindingConfig,
  state: string,
  options: { readonly crossSite: boolean },
): string {
  return cookie(config, state, "", { ...options, maxAge: 0 });
}

/** True when a request comes from the browser that a state was given to. */
export function isBound(config: BindingConfig, request: Request, state: string, hash: string): boolean {
  const value = new Bun.CookieMap(request.headers.get("cookie") ?? "").get(nameOf(config, state));
  if (!value) return false;
  const [found, expected] = [Buffer.from(hashOf(value)), Buffer.from(hash)];
  return found.length === expected.length && timingSafeEqual(found, expected);
}

function cookie(
  config: BindingConfig,
  state: string,
  value: string,
  { crossSite, maxAge }: { readonly crossSite: boolean; readonly maxAge: number },
): string {
  return new Bun.Cookie(nameOf(config, state), value, {
    path: "/",
    httpOnly: true,
    sameSite: crossSite ? "none" : "lax",
    // Browsers take SameSite=None with Secure alone, and from http only on this machine.
    secure: crossSite || config.NODE_ENV === "production",
    maxAge,
  }).serialize();
}

/** One for each state, so that sign-ins in several tabs do not disturb each other. */
function nameOf({ NODE_ENV }: BindingConfig, state: string): string {
  const name = `baasix-oauth-${hashOf(state).slice(0, 16)}`;
  // The prefix keeps other hosts of the domain from setting it.
  return NODE_ENV === "production" ? `__Host-${name}` : name;
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
