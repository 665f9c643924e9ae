/** `baasix admin` on accounts, beside a server that runs: the executable as its operator uses it. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { api, baasix, emptyFolder, serve, signIn } from "./executable";

setDefaultTimeout(60_000);

const folder = emptyFolder();
const cwd = folder.path;
const env = {
  ADMIN_EMAIL: "admin@example.com",
  ADMIN_PASSWORD: "correct horse battery",
  AUTH_APP_URL: "https://app.example.com",
  SECRET_KEY: "a secret of the tests, at least 32 characters",
};
let server: Awaited<ReturnType<typeof serve>>;

beforeAll(async () => {
  server = await serve({ cwd, env });
});
afterAll(async () => {
  await server.end("SIGTERM");
  folder.remove();
});

const admin = async (...words: string[]) => {
  const { code, out, err } = await baasix(["admin", ...words], { cwd, env });
  return { code, out, err };
};

test("invites somebody by a link, who registers with it; suspends, activates, gives a password, removes", async () => {
  const made = await admin("link", "invite", "ann@example.com", "--role", "user", "--json");
  const { url, token } = JSON.parse(made.out) as { url: string; token: string };
  expect(url).toBe(`https://app.example.com/accept-invite?token=${token}`);
  const registered = await fetch(`${server.url}/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      email: "ann@example.com",
      password: "a good password",
      firstName: "Ann",
      inviteToken: token,
    }),
  });
  expect(registered.status).toBe(200);
  const ann = api(server.url, ((await registered.json()) as { token: string }).token);
  expect((await ann("GET", "/auth/me")).status).toBe(200);

  expect((await admin("users")).out).toMatch(
    /^[0-9a-f-]{36} {2}admin@example\.com {2}active {2}administrator\n[0-9a-f-]{36} {2}ann@example\.com {2}active {2}user\n$/,
  );
  expect(await admin("suspend", "ann@example.com")).toEqual({
    code: 0,
    out: "Suspended ann@example.com\n",
    err: "",
  });
  expect(JSON.parse((await admin("users", "--status", "suspended", "--json")).out)).toMatchObject({
    data: [{ email: "ann@example.com", roles: [{ name: "user", tenant: null }] }],
  });
  await expect(signIn(server.url, "ann@example.com", "a good password")).rejects.toThrow();
  expect((await admin("activate", "ann@example.com")).out).toBe("Activated ann@example.com\n");
  expect((await admin("confirm", "ann@example.com")).out).toBe("Confirmed ann@example.com\n");
  expect((await admin("password", "ann@example.com", "another password")).out).toBe(
    "Changed the password of ann@example.com\n",
  );
  await signIn(server.url, "ann@example.com", "another password");
  expect((await ann("GET", "/auth/me")).status).toBe(401);
  expect((await admin("remove", "ann@example.com")).out).toBe("Removed ann@example.com\n");
  await expect(signIn(server.url, "ann@example.com", "another password")).rejects.toThrow();
});

test.each([
  [["suspend", "nobody@example.com"], 1, "There is no account 'nobody@example.com'"],
  [["suspend", "nobody"], 2, "'nobody' is not a mail address"],
  [["users", "--status", "new"], 2, "--status must be one of active, inactive, suspended, pending, deleted"],
  [["link", "otp", "ann@example.com"], 2, "kind must be one of magic-link, password-reset"],
  [["password", "admin@example.com"], 2, "a password is needed"],
])("%j is refused in one line", async (words, code, told) => {
  const ended = await admin(...words);
  expect([ended.code, ended.out]).toEqual([code, ""]);
  expect(ended.err).toContain(told);
});
