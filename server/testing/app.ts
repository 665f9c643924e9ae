/** The whole server on a database of its own, called in-process or through a real socket. */
import { createApp } from "../app";
import { readConfig } from "../config";
import { openSnapshot } from "../data";
import { type CheckPassword, createAdmin } from "../features/auth";
import type { SendMail } from "../platform/mail";
import { type DatabaseAddress, openDatabase } from "../platform/postgres";
import { temporaryDirectory, testDatabase } from "./postgres";

/** An answer, read: `body` is parsed JSON where there is any. */
export type Answer = {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
  readonly text: string;
};

export type Call = {
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
};

export type TestApp = Awaited<ReturnType<typeof testApp>>;

/** The administrator that every test app has. */
export const testAdmin = { email: "admin@example.com", password: "correct horse battery" };

// One template database a process: system collections are there when a test begins.
async function prepare(address: DatabaseAddress): Promise<void> {
  const database = await openDatabase(address, { shortPool: 1, slowPool: 1 });
  await openSnapshot(database);
  await database.close();
}

/**
 * `env` as in the environment; `now` a clock of the test's own (milliseconds since 1970); `address` an empty database, by
 * default a new one on the embedded server; `sendMail` gets the mails (without it they are written to the log, which is silent); `checkPassword` as in `createApp`.
 */
export type TestAppOptions = {
  readonly env?: Record<string, string>;
  readonly now?: () => number;
  readonly address?: DatabaseAddress;
  readonly sendMail?: SendMail;
  readonly checkPassword?: CheckPassword;
};

/** A server in this process, and how a test speaks with it. */
export type TestInstance = Awaited<ReturnType<typeof openInstance>>;

/** Builds one more server, on a database that may have others. Close it when done. */
export async function openInstance(...given: Parameters<typeof createApp>) {
  const app = await createApp(...given);
  let url: string | null = null;
  return {
    ...app,
    /** Sends a request to the app without a socket. `body` is sent as JSON, unless it is a FormData or text. */
    call: async (method: string, path: string, { token, body, headers = {} }: Call = {}): Promise<Answer> => {
      const raw = body instanceof FormData || typeof body === "string";
      const request = new Request(`http://localhost${path}`, {
        method,
        headers: {
          ...(body !== undefined && !(body instanceof FormData) && { "content-type": "application/json" }),
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...headers,
        },
        ...(body !== undefined && { body: raw ? body : JSON.stringify(body) }),
      });
      const response = await app.routes.handle(request);
      const text = await response.text();
      const json =
        response.headers.get("content-type")?.startsWith("application/json") === true && text !== "";
      return {
        status: response.status,
        body: json ? JSON.parse(text) : null,
        headers: response.headers,
        text,
      };
    },
    /** Listens on a free port of the loopback address; gives the URL. */
    listen: (): string => {
      if (url !== null) return url;
      app.routes.listen({ port: 0, hostname: "127.0.0.1", websocket: app.realtime.websocket });
      url = `http://127.0.0.1:${app.routes.server?.port}`;
      return url;
    },
    close: async (): Promise<void> => {
      app.refuse();
      await app.routes.server?.stop(true);
      await app.close();
    },
  };
}

/** Builds the app. Close it when done. */
export async function testApp({ env = {}, now, address, sendMail, checkPassword }: TestAppOptions = {}) {
  const database = address ? { address, drop: () => Promise.resolve() } : await testDatabase(prepare);
  const config = readConfig({
    BAASIX_DIR: temporaryDirectory(),
    SECRET_KEY: "a secret of the tests, at least 32 characters",
    LOG_LEVEL: "silent",
    NODE_ENV: "test",
    DATABASE_POOL_MAX: "4",
    DATABASE_SLOW_POOL_MAX: "2",
    RATE_LIMIT: "1000000",
    LOGIN_RATE_LIMIT: "1000000",
    PORT: "0",
    ...env,
  });
  const app = await openInstance(config, database.address, {
    ...(now && { now }),
    ...(sendMail && { sendMail }),
    ...(checkPassword && { checkPassword }),
  });
  await createAdmin(app.data, testAdmin);
  const { call } = app;

  const login = async (email: string, password: string): Promise<string> => {
    const answer = await call("POST", "/auth/login", { body: { email, password } });
    const { token } = (answer.body ?? {}) as { token?: string };
    if (token === undefined) throw new Error(`login failed: ${answer.status} ${answer.text}`);
    return token;
  };

  const admin = await login(testAdmin.email, testAdmin.password);

  /** A request of the administrator's that must succeed. @throws Error with what was answered */
  const ok = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const answer = await call(method, path, { token: admin, body });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer;
  };

  return {
    ...app,
    config,
    address: database.address,
    login,
    /** Token of the administrator. */
    admin,
    ok,
    /** Makes permissions while `work` runs, which gets their ids. */
    whileAllowed: async <T>(
      permissions: readonly object[],
      work: (...ids: readonly string[]) => Promise<T>,
    ): Promise<T> => {
      const ids: string[] = [];
      try {
        for (const permission of permissions)
          ids.push(((await ok("POST", "/permissions", permission)).body as { id: string }).id);
        return await work(...ids);
      } finally {
        for (const id of ids) await call("DELETE", `/permissions/${id}`, { token: admin });
      }
    },
    /** The id of the role with the name. */
    roleId: async (name: string): Promise<string> => {
      const { body } = await ok("GET", `/items/baasix_Role?filter[name]=${name}&fields=id`);
      const [role] = (body as { data: { id: string }[] }).data;
      if (!role) throw new Error(`there is no role ${name}`);
      return role.id;
    },
    /** Signs up an account of the role `user`. */
    signUp: async (email: string, password = "a good password"): Promise<{ token: string; id: string }> => {
      const answer = await call("POST", "/auth/register", { body: { email, password, firstName: "Test" } });
      const body = answer.body as { token?: string; user?: { id: string } };
      if (!body.token || !body.user) throw new Error(`sign-up failed: ${answer.status} ${answer.text}`);
      return { token: body.token, id: body.user.id };
    },
    close: async (): Promise<void> => {
      await app.close();
      await database.drop();
    },
  };
}
