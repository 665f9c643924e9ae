/**
 * Real providers for tests of signing in, on the loopback address: one of OpenID Connect, and one that speaks plain OAuth 2.0
 * and has an API as GitHub's. Of the first, answers can be changed on their way, to see what a hostile one would do.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { Provider } from "oidc-provider";

/** Somebody with an account at the provider; the subject is the name that one logs in with. */
export type Person = {
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly given_name?: string;
  readonly family_name?: string;
};

export type OidcServer = {
  readonly issuer: string;
  /** People by subject. */
  readonly people: Map<string, Person>;
  /** Where browsers may be led back to; once. */
  readonly register: (redirectUris: readonly string[]) => void;
  /** Changes an answer of the token endpoint before it is sent; null sends it as it is. */
  tamper: ((answer: Record<string, unknown>) => Promise<Record<string, unknown>>) | null;
  /** Signs an ID token with the provider's own key; `header` and `key` for those that are not its own. */
  readonly sign: (claims: Record<string, unknown>, options?: SignOptions) => Promise<string>;
  readonly close: () => Promise<void>;
};

export type SignOptions = { readonly header?: Record<string, unknown>; readonly key?: CryptoKey };

/** An app of the provider, as a provider of OpenID Connect is configured here. */
export type OidcApp = { readonly clientId: string; readonly clientSecret: string };

/** Starts one with the consent and login pages that the package brings for development. It answers once `register` was called. */
export async function openOidcServer({ clientId, clientSecret }: OidcApp): Promise<OidcServer> {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const jwk = { ...(await exportJWK(privateKey)), alg: "RS256", use: "sig", kid: "key of the provider" };
  const people = new Map<string, Person>();
  const server = createServer();
  const issuer = await listen(server);
  const state: { tamper: OidcServer["tamper"] } = { tamper: null };
  const register: OidcServer["register"] = (redirectUris) => {
    const provider = new Provider(issuer, {
      clients: [
        {
          client_id: clientId,
          client_secret: clientSecret,
          redirect_uris: [...redirectUris],
          grant_types: ["authorization_code"],
          response_types: ["code"],
        },
      ],
      jwks: { keys: [jwk] },
      cookies: { keys: ["a key for the cookies of a test"] },
      claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["given_name", "family_name"] },
      findAccount: (_context, sub) => ({ accountId: sub, claims: () => ({ sub, ...people.get(sub) }) }),
      pkce: { required: () => true },
      ttl: {
        AccessToken: 600,
        AuthorizationCode: 60,
        Grant: 600,
        IdToken: 600,
        Interaction: 600,
        Session: 600,
      },
      features: { devInteractions: { enabled: true } },
    });
    provider.use(async (context, next) => {
      await next();
      if (state.tamper === null || context.path !== "/token" || context.status !== 200) return;
      context.body = await state.tamper(context.body as Record<string, unknown>);
    });
    const handle = provider.callback();
    server.on("request", (request, response) => void handle(request, response));
  };
  return {
    issuer,
    people,
    register,
    get tamper() {
      return state.tamper;
    },
    set tamper(change) {
      state.tamper = change;
    },
    sign: (claims, { header, key } = {}) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: "RS256", kid: jwk.kid, ...header })
        .sign(key ?? privateKey),
    close: () => close(server),
  };
}

/** Somebody with an account there. */
export type GithubPerson = {
  readonly id: number;
  readonly login: string;
  readonly name?: string;
  readonly mails: readonly {
    readonly email: string;
    readonly primary: boolean;
    readonly verified: boolean;
  }[];
};

export type GithubServer = {
  readonly url: string;
  /** Who is signed in there in every browser. */
  person: GithubPerson | null;
  readonly close: () => Promise<void>;
};

/** A small authorization server (RFC 6749 with PKCE) with `/api/v3/user` and `/user/emails`; it asks nobody for consent. */
export async function openGithubServer(client: {
  readonly id: string;
  readonly secret: string;
}): Promise<GithubServer> {
  const codes = new Map<string, { challenge: string; redirectUri: string }>();
  const tokens = new Set<string>();
  const state: { person: GithubPerson | null } = { person: null };
  const server = createServer((request, response) => void answer(request, response));
  const url = await listen(server);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", url);
    if (pathname === "/login/oauth/authorize") return authorize(searchParams, response);
    if (pathname === "/login/oauth/access_token") return giveToken(await formOf(request), response);
    const known = tokens.has(/^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "");
    if (!known || state.person === null) return json(response, 401, { message: "Bad credentials" });
    const { mails, ...user } = state.person;
    return json(response, 200, pathname === "/api/v3/user/emails" ? mails : user);
  }

  function authorize(query: URLSearchParams, response: ServerResponse): void {
    const redirectUri = query.get("redirect_uri") ?? "";
    const back = new URL(redirectUri);
    back.searchParams.set("state", query.get("state") ?? "");
    if (state.person === null) back.searchParams.set("error", "access_denied");
    else {
      const code = crypto.randomUUID();
      codes.set(code, { challenge: query.get("code_challenge") ?? "", redirectUri });
      back.searchParams.set("code", code);
    }
    response.writeHead(302, { location: back.href }).end();
  }

  function giveToken(form: URLSearchParams, response: ServerResponse): void {
    const code = codes.get(form.get("code") ?? "");
    codes.delete(form.get("code") ?? "");
    const verifier = new Bun.CryptoHasher("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    const isClient = form.get("client_id") === client.id && form.get("client_secret") === client.secret;
    if (!code || !isClient || verifier !== code.challenge || form.get("redirect_uri") !== code.redirectUri)
      return json(response, 200, { error: "bad_verification_code" });
    const token = crypto.randomUUID();
    tokens.add(token);
    return json(response, 200, { access_token: token, token_type: "bearer", scope: "read:user,user:email" });
  }

  return {
    url,
    get person() {
      return state.person;
    },
    set person(person) {
      state.person = person;
    },
    close: () => close(server),
  };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  const pieces: Buffer[] = [];
  for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
  return new URLSearchParams(Buffer.concat(pieces).toString());
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((done) => server.close(() => done()));
}

/** A browser without a screen: keeps cookies, follows redirects, and fills the provider's forms in. */
export type Visitor = {
  /** Follows a link until it leads to a page that is none of the servers', or to one with something to do. */
  readonly visit: (address: string, form?: Record<string, string>) => Promise<Visited>;
  /** Goes on from the provider's login page as a person, and consents. */
  readonly signInAt: (page: Visited, subject: string) => Promise<Visited>;
  readonly cookies: Map<string, string>;
  /** Addresses that begin so are not asked: the visit ends there. */
  stopAt: string | null;
};

/** Where a visit ended; `status` 0: at an address outside, which was not asked. */
export type Visited = { readonly url: URL; readonly status: number; readonly text: string };

/** Makes one. `servers`: the origins that it asks. */
export function openVisitor(servers: readonly string[]): Visitor {
  const cookies = new Map<string, string>();
  const state: { stopAt: string | null } = { stopAt: null };
  const visit: Visitor["visit"] = async (address, form) => {
    let [url, body] = [new URL(address), form && new URLSearchParams(form)];
    for (let hops = 0; hops < 20; hops++) {
      const stops = state.stopAt !== null && url.href.startsWith(state.stopAt);
      if (stops || !servers.includes(url.origin)) return { url, status: 0, text: "" };
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
      // oxlint-disable-next-line no-await-in-loop -- one page leads to the next
      const response = await fetch(url, {
        redirect: "manual",
        headers: { cookie },
        ...(body && { method: "POST", body }),
      });
      for (const text of response.headers.getSetCookie()) {
        const { name, value, maxAge, expires } = Bun.Cookie.parse(text);
        const gone = maxAge === 0 || (expires !== undefined && expires.getTime() < Date.now());
        if (gone) cookies.delete(name);
        else cookies.set(name, value);
      }
      const location = response.headers.get("location");
      // oxlint-disable-next-line no-await-in-loop
      if (location === null) return { url, status: response.status, text: await response.text() };
      [url, body] = [new URL(location, url), undefined];
    }
    throw new Error(`no end of redirects at ${url.href}`);
  };
  return {
    cookies,
    visit,
    get stopAt() {
      return state.stopAt;
    },
    set stopAt(address) {
      state.stopAt = address;
    },
    signInAt: async (page, subject) => {
      const action = (from: Visited): string => {
        const found = /<form[^>]*action="([^"]+)"/.exec(from.text)?.[1];
        if (found === undefined) throw new Error(`no form at ${from.url.href}: ${from.status} ${from.text}`);
        return new URL(found, from.url).href;
      };
      let at = page;
      if (/name="prompt" value="login"/.test(at.text))
        at = await visit(action(at), { prompt: "login", login: subject, password: "any" });
      if (/name="prompt" value="consent"/.test(at.text)) at = await visit(action(at), { prompt: "consent" });
      return at;
    },
  };
}
