/** The whole server beside providers to sign in with. */
import { type TestApp, testApp, type TestAppOptions } from "./app";
import {
  type GithubServer,
  openGithubServer,
  openOidcServer,
  openVisitor,
  type OidcServer,
  type Visited,
  type Visitor,
} from "./sign-in-provider";

/** The page of an application that sign-ins come back to. */
export const appPage = "https://app.example.com/auth/callback";

export type OAuthScene = {
  readonly app: TestApp;
  readonly url: string;
  /** Configured as `acme`, as `posted` (whose page posts its answers), and as `away`, whose app it does not know. */
  readonly oidc: OidcServer;
  readonly github: GithubServer;
  readonly openVisitor: () => Visitor;
  /** Begins a sign-in and goes through the provider's pages. */
  readonly signIn: (subject: string, options?: SignInOptions) => Promise<Visited>;
  readonly close: () => Promise<void>;
};

export type SignInOptions = {
  readonly visitor?: Visitor;
  readonly provider?: string;
  readonly query?: Readonly<Record<string, string>>;
};

/** Opens it. */
export async function openOAuthScene({ env = {}, ...options }: TestAppOptions = {}): Promise<OAuthScene> {
  const client = { clientId: "baasix", clientSecret: "the secret of the app at the provider" };
  const oidc = await openOidcServer(client);
  const github = await openGithubServer({ id: "github id", secret: "github secret" });
  const app = await testApp({
    ...options,
    env: {
      AUTH_APP_URL: `https://app.example.com,https://other.example.com/only/here`,
      AUTH_SERVICES_ENABLED: "LOCAL,GITHUB",
      GITHUB_CLIENT_ID: "github id",
      GITHUB_CLIENT_SECRET: "github secret",
      GITHUB_URL: github.url,
      OIDC_ACME_ISSUER: oidc.issuer,
      OIDC_ACME_CLIENT_ID: client.clientId,
      OIDC_ACME_CLIENT_SECRET: client.clientSecret,
      OIDC_ACME_LABEL: "Acme",
      OIDC_PROVIDERS: JSON.stringify([
        { name: "posted", issuer: oidc.issuer, ...client, responseMode: "form_post" },
        { name: "away", issuer: "http://127.0.0.1:9/", ...client },
      ]),
      ...env,
    },
  });
  const url = app.listen();
  const callbacks = [url, url.replace("127.0.0.1", "localhost")].flatMap((base) => [
    `${base}/auth/callback/acme`,
    `${base}/auth/callback/posted`,
  ]);
  oidc.register([...callbacks, appPage]);
  const servers = [url, oidc.issuer, github.url];

  const signIn: OAuthScene["signIn"] = async (
    subject,
    { visitor = openVisitor(servers), provider = "acme", query = { redirect_url: appPage } } = {},
  ) => {
    const page = await visitor.visit(
      `${url}/auth/signin/${provider}?${new URLSearchParams(query).toString()}`,
    );
    return page.url.origin === oidc.issuer ? visitor.signInAt(page, subject) : page;
  };

  return {
    app,
    url,
    oidc,
    github,
    signIn,
    openVisitor: () => openVisitor(servers),
    close: async () => {
      await app.close();
      await Promise.all([oidc.close(), github.close()]);
    },
  };
}
