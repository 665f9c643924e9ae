import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Rights } from "@baasix/types";
import { type TestApp, testApp } from "../../testing/app";

let app: TestApp;
const people = new Map<string, { readonly id: string; readonly token: string; readonly tenant: string }>();
beforeAll(async () => {
  app = await testApp({ env: { MULTI_TENANT: "true" } });
  for (const name of ["ann", "bob"]) {
    const body = { email: `${name}@example.com`, password: "password123", firstName: name, tenant: { name } };
    // oxlint-disable-next-line no-await-in-loop
    const answer = (await app.call("POST", "/auth/register", { body })).body as {
      token: string;
      user: { id: string };
      tenant: { id: string };
    };
    people.set(name, { id: answer.user.id, token: answer.token, tenant: answer.tenant.id });
  }
});
afterAll(() => app.close());

const changed = [409, "SESSION_CHANGED"] as const;
test.each<[string, string | null, string | null, readonly [number, string]]>([
  ["the one who is", "ann", "ann@ann", [200, "user"]],
  ["nobody in particular", "ann", null, [200, "user"]],
  ["another user", "ann", "bob@bob", changed],
  ["the same outside of organisations", "ann", "ann", changed],
  ["the same in another organisation", "ann", "ann@bob", changed],
  ["an empty name", "ann", "", changed],
  ["nobody, who is answered like nobody", "ann", "-", [200, "public"]],
  ["somebody, when nobody is", null, "ann@ann", [401, "UNAUTHORIZED"]],
  ["nobody in particular, when nobody is", null, null, [200, "public"]],
  ["nobody, when nobody is", null, "-", [200, "public"]],
])("a page that expects %s", async (_name, cookie, expected, [status, told]) => {
  const [user = "", tenant] = expected?.split("@") ?? [];
  const id = people.get(user)?.id ?? user;
  const place = tenant === undefined ? "" : `@${people.get(tenant)?.tenant}`;
  const token = people.get(cookie ?? "")?.token;
  const said = { ...(expected !== null && { "baasix-expect-user": id + place }) };
  const answer = await app.call("GET", "/permissions/me", {
    headers: { ...said, ...(token && { cookie: `token=${token}` }) },
  });
  const { error, data } = answer.body as { error?: { code: string }; data?: Rights };
  expect([answer.status, error?.code ?? data?.roles[0]?.name ?? null]).toEqual([status, told]);
  if (!token) return;
  // A header that carries the token leaves nothing to expect, and a socket cannot say it.
  const bearer = { headers: { ...said, authorization: `Bearer ${token}` } };
  expect((await app.call("GET", "/permissions/me", bearer)).status).toBe(200);
});
