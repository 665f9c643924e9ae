/** Guards in an application's own routes: the actor is that of the server, as it is at that moment. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Elysia } from "elysia";
import { system } from "./core/access/actor";
import { requireAnyRole, requireAssurance, requireRole, requireUser, requireVerifiedEmail } from "./index";
import { type TestApp, testApp } from "./testing/app";

const root = system("the test prepares roles");
let server: TestApp;

beforeAll(async () => {
  server = await testApp();
});
afterAll(() => server.close());

/** The routes of `docs/guards.md`, and one of each other guard. */
const routes = () =>
  new Elysia()
    .onError(({ error }) => server.errorAnswer(error))
    .resolve(async ({ request }) => ({ actor: await server.actorOf(request, "192.0.2.1") }))
    .get("/reports", ({ actor }) => {
      const { id } = requireAnyRole(actor, ["editor", "administrator"]);
      return { data: `the reports of ${id}` };
    })
    .get("/user", ({ actor }) => requireUser(actor).id)
    .get("/verified", ({ actor }) => requireVerifiedEmail(actor).id)
    .get("/two", ({ actor }) => requireAssurance(actor, "aal2").id)
    .get("/broken", () => {
      throw new TypeError("a slip");
    });

const ask = async (path: string, token?: string) => {
  const headers = new Headers(token === undefined ? [] : [["authorization", `Bearer ${token}`]]);
  const response = await routes().handle(new Request(`http://app.example${path}`, { headers }));
  const text = await response.text();
  const { error } = text.startsWith("{") ? (JSON.parse(text) as { error?: { code: string } }) : {};
  return [response.status, error?.code ?? text];
};

test("each guard answers as the server does", async () => {
  const { id, token } = await server.signUp("ann@example.com");
  expect(await ask("/reports")).toEqual([401, "UNAUTHORIZED"]);
  expect(await ask("/reports", "not a token")).toEqual([401, "UNAUTHORIZED"]);
  expect(await ask("/reports", token)).toEqual([403, "FORBIDDEN"]);
  expect((await ask("/reports", server.admin))[0]).toBe(200);
  expect(await ask("/user", token)).toEqual([200, id]);
  expect(await ask("/verified", token)).toEqual([403, "FORBIDDEN"]);
  expect(await ask("/two", token)).toEqual([403, "MFA_REQUIRED"]);
  expect(await ask("/broken", token)).toEqual([500, "INTERNAL_ERROR"]);
});

test("a role that is given, renamed, bound to addresses or taken away counts from the next request on", async () => {
  const { id, token } = await server.signUp("bo@example.com");
  const [role] = await server.data.create(root, "baasix_Role", [{ name: "editor" }]);
  const [membership = ""] = await server.data.create(root, "baasix_UserRole", [
    { user_Id: id, role_Id: role },
  ]);
  const change = (data: object) =>
    server.data.update(root, "baasix_Role", [{ id: role ?? "", data: data as never }]);
  const status = async () => (await ask("/reports", token))[0];
  expect(await status()).toBe(200);
  await change({ name: "reviewer" });
  expect(await status()).toBe(403);
  await change({ name: "editor", ipWhitelist: ["198.51.100.0/24"] });
  expect(await status()).toBe(403);
  await change({ ipWhitelist: ["192.0.2.0/24"] });
  expect(await status()).toBe(200);
  await server.data.remove(root, "baasix_UserRole", [membership]);
  expect(await status()).toBe(403);
  await server.data.update(root, "baasix_User", [{ id, data: { emailVerified: true } }]);
  expect((await ask("/verified", token))[0]).toBe(200);
  await server.data.update(root, "baasix_User", [{ id, data: { status: "suspended" } }]);
  expect(await status()).toBe(401);
});

test("an API token has the one role that it was made for", async () => {
  const [role] = await server.data.create(root, "baasix_Role", [{ name: "robot" }]);
  const made = await server.call("POST", "/auth/tokens", {
    token: server.admin,
    body: { name: "robot", role_Id: role },
  });
  const { token } = (made.body as { data: { token: string } }).data;
  const actor = await server.actorOf(
    new Request("http://app.example/", { headers: { authorization: `Bearer ${token}` } }),
    "192.0.2.1",
  );
  expect(requireRole(actor, "robot")).toMatchObject({ via: "token", roleNames: ["robot"], admin: false });
  expect(() => requireRole(actor, "administrator")).toThrow("This takes the role 'administrator'");
  expect(() => requireAssurance(actor, "aal2")).toThrow("An API token proves no second factor");
});
