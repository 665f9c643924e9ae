/** Mails of a tenant: whose words and looks they have, and where their links lead. Read as a mail server delivers them. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Tenant } from "@baasix/types";
import { system } from "../../core/access/actor";
import type { Answer } from "../../testing/app";
import {
  type Held,
  openTenantScene,
  type Person,
  refused,
  signedIn,
  type TenantScene,
} from "../../testing/tenant-scene";

setDefaultTimeout(30_000);

const root = system("the test writes templates and settings, and looks at the log of mails");
const listed = "https://app.example.com";
const ownApp = "https://acme.example.com/app";
const common = "https://everybody.example.com";
let scene: TenantScene;
let acme: Tenant;
let plain: Tenant;

beforeAll(async () => {
  scene = await openTenantScene({ PROJECT_NAME: "Environment", PROJECT_COLOR: "#abcdef" });
  [acme, plain] = [await scene.tenant("Acme"), await scene.tenant("Plain")];
});
afterAll(() => scene.close());
afterEach(async () => {
  for (const collection of ["baasix_Settings", "baasix_Template"]) {
    const found = await scene.app.data.find<{ id: string }>(root, collection, { fields: ["id"], limit: -1 });
    await scene.app.data.remove(
      root,
      collection,
      found.map(({ id }) => id),
    );
  }
});

const call = (path: string, body: object, token?: string): Promise<Answer> =>
  scene.app.call("POST", path, { body, ...(token !== undefined && { token }) });
const settings = async (tenant: Tenant | null, values: object): Promise<void> => {
  const body = { tenant_Id: tenant?.id ?? null, ...values };
  const answer = await scene.app.call("POST", "/items/baasix_Settings", { token: await scene.admin(), body });
  if (answer.status !== 201) throw new Error(answer.text);
};
const template = async (tenant: Tenant | null, type: string, subject: string, more: object = {}) => {
  const body = { tenant_Id: tenant?.id ?? null, type, subject, body: "<p>{{ project_name }}</p>", ...more };
  const answer = await scene.app.call("POST", "/items/baasix_Template", { token: await scene.admin(), body });
  if (answer.status !== 201) throw new Error(answer.text);
};
/** The mail that was caused, or null when none was. */
const mail = async () => {
  await scene.app.errands.idle();
  await scene.app.mail.run();
  return scene.mails.delivered.length > scene.mails.read() ? scene.nextMail() : null;
};
const logged = async (person: Person) => {
  const [row] = await scene.app.data.find<{ tenant_Id: string | null }>(root, "baasix_EmailLog", {
    filter: { email: { eq: person.email } },
    fields: ["tenant_Id"],
  });
  return row?.tenant_Id;
};

/** What anybody may ask for, for the address of somebody. */
const requests: readonly (readonly [what: string, path: string, more: object, type: string])[] = [
  ["a link to sign in", "/auth/magiclink", {}, "magicLinkUrl"],
  ["a code of letters", "/auth/magiclink", { mode: "code" }, "magicLinkCode"],
  ["a code of digits", "/auth/otp", {}, "otpCode"],
  ["a new password", "/auth/password/reset", {}, "passwordReset"],
  ["a new password, by its other name", "/auth/forgot-password", {}, "passwordReset"],
  ["to confirm the address", "/auth/email/verify", {}, "emailVerification"],
];

describe.each(requests)("%s", (_, path, more, type) => {
  const person = async (...held: readonly Held[]): Promise<Person> => {
    const made = await scene.person(...held);
    if (type !== "emailVerification") return made;
    await scene.app.data.update(root, "baasix_User", [{ id: made.id, data: { emailVerified: false } }]);
    return made;
  };

  test.each<[who: "a member" | "somebody else" | "a former member", asked: "acme" | "none", own: boolean]>([
    ["a member", "acme", true],
    ["a member", "none", false],
    ["somebody else", "acme", false],
    ["somebody else", "none", false],
    ["a former member", "acme", false],
  ])("for %s, with the tenant %s: its own words and looks: %j", async (who, asked, own) => {
    await settings(null, { project_name: "Everybody" });
    await settings(acme, { project_name: "Acme", project_color: "#112233" });
    await template(null, type, "For all from {{ project_name }}");
    await template(acme, type, "Acme says, {{ project_name }}");
    const to = await person(["member", who === "somebody else" ? plain : acme]);
    if (who === "a former member") await scene.leave(to);
    const answer = await call(path, {
      email: to.email,
      ...more,
      ...(asked === "acme" && { tenant_Id: acme.id }),
    });
    expect(answer.status).toBe(200);
    const letter = await mail();
    expect(letter).toMatchObject({
      to: to.email,
      subject: own ? "Acme says, Acme" : "For all from Everybody",
      html: expect.stringContaining(own ? "#112233" : "#abcdef"),
    });
    expect(await logged(to)).toBe(own ? acme.id : null);
  });

  test("without an account, or with a tenant that there is not: the same answer", async () => {
    const to = await person(["member", acme]);
    const answers = [
      await call(path, { email: to.email, ...more, tenant_Id: acme.id }),
      await call(path, { email: `nobody-${crypto.randomUUID()}@example.com`, ...more, tenant_Id: acme.id }),
      await call(path, { email: (await person()).email, ...more, tenant_Id: crypto.randomUUID() }),
    ];
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    while ((await mail()) !== null);
    expect((await call(path, { email: to.email, ...more, tenant_Id: "acme" })).status).toBe(400);
  });
});

describe("which words", () => {
  type Stored = "none" | "active" | "inactive" | "broken";
  test.each<[own: Stored, forAll: Stored, subject: string]>([
    ["none", "none", "Your code for Acme"],
    ["none", "active", "for all"],
    ["active", "none", "own"],
    ["active", "active", "own"],
    ["inactive", "active", "for all"],
    ["inactive", "inactive", "Your code for Acme"],
    // A slip keeps nobody out.
    ["broken", "none", "Your code for Acme"],
  ])("own: %s, for all: %s: %s", async (own, forAll, subject) => {
    await settings(acme, { project_name: "Acme" });
    for (const [tenant, stored, words] of [
      [acme, own, "own"],
      [null, forAll, "for all"],
    ] as const) {
      if (stored === "none") continue;
      // oxlint-disable-next-line no-await-in-loop
      await template(tenant, "otpCode", words, {
        isActive: stored !== "inactive",
        ...(stored === "broken" && { body: "{% for i in (1..9999999) %}{{ code }}{% endfor %}" }),
      });
    }
    const to = await scene.person(["member", acme]);
    await call("/auth/otp", { email: to.email, tenant_Id: acme.id });
    expect((await mail())?.subject).toBe(subject);
  });

  test("one of each kind for each tenant, and one for all", async () => {
    const again = (tenant: Tenant | null) =>
      template(tenant, "otpCode", "x").then(
        () => 201,
        (error: Error) => (error.message.includes("UNIQUE_VIOLATION") ? 409 : error.message),
      );
    expect([await again(null), await again(acme), await again(plain)]).toEqual([201, 201, 201]);
    expect([await again(null), await again(acme)]).toEqual([409, 409]);
  });
});

describe("how it looks", () => {
  test.each<[what: string, forAll: object | null, own: object | null, shown: readonly [string, string]]>([
    ["nothing is set: as the environment says", null, null, ["Environment", "#abcdef"]],
    ["set for all", { project_name: "All", project_color: "#111111" }, null, ["All", "#111111"]],
    [
      "the tenant says all",
      { project_name: "All" },
      { project_name: "A & B", project_color: "#222222" },
      ["A & B", "#222222"],
    ],
    [
      "the tenant says some",
      { project_name: "All", project_color: "#111111" },
      { project_color: "#222222" },
      ["All", "#222222"],
    ],
    ["the tenant alone says anything", null, { project_name: "Own" }, ["Own", "#abcdef"]],
  ])("%s", async (_, forAll, own, [name, color]) => {
    if (forAll) await settings(null, forAll);
    if (own) await settings(acme, own);
    const to = await scene.person(["member", acme]);
    await call("/auth/otp", { email: to.email, tenant_Id: acme.id });
    const letter = await mail();
    expect(letter?.subject).toBe(`Your code for ${name}`);
    expect(letter?.html).toContain(color);
    expect(letter?.html).toContain(Bun.escapeHTML(name));
  });

  test("addresses of the project and its picture are an administrator's to say", async () => {
    await settings(acme, {
      project_name: "Acme",
      project_url: "https://acme.example.com/?from=mail",
      project_logo_url: "https://acme.example.com/logo.png",
    });
    const to = await scene.person(["member", acme]);
    await call("/auth/otp", { email: to.email, tenant_Id: acme.id });
    const letter = await mail();
    expect(letter?.html).toContain("https://acme.example.com/logo.png");
  });
});

describe("where links lead", () => {
  const refusal = [400, "Invalid link"];
  test.each<[link: string | null, tenant: "acme" | "plain" | null, member: boolean, leads: string | null]>([
    [null, null, true, listed],
    [null, "acme", true, ownApp],
    [null, "acme", false, listed],
    [null, "plain", true, listed],
    [listed, "acme", true, listed],
    [listed, "acme", false, listed],
    [ownApp, "acme", true, ownApp],
    // Who runs the application of a tenant gets what is in its links: it is for its members alone.
    [ownApp, "acme", false, null],
    [ownApp, "plain", true, "refused"],
    [ownApp, null, true, "refused"],
    [common, null, true, common],
    [common, "acme", true, common],
    [common, "acme", false, common],
    [common, "plain", false, common],
    [`${ownApp}/deeper`, "acme", true, "refused"],
    ["https://evil.example", "acme", true, "refused"],
  ])("%s with the tenant %s, for a member: %j: %s", async (link, tenant, member, leads) => {
    await settings(acme, { app_url: ownApp });
    if (link === common) await settings(null, { app_url: common });
    const asked = tenant === null ? null : { acme, plain }[tenant];
    const to = await scene.person(["member", member ? (asked ?? acme) : tenant === "plain" ? acme : plain]);
    for (const path of ["/auth/magiclink", "/auth/password/reset"]) {
      const body = { email: to.email, ...(link !== null && { link }), ...(asked && { tenant_Id: asked.id }) };
      // oxlint-disable-next-line no-await-in-loop
      const answer = await call(path, body);
      if (leads === "refused") expect(refused(answer)).toEqual([...refusal] as [number, string]);
      else expect(answer.status).toBe(200);
      // oxlint-disable-next-line no-await-in-loop
      const letter = await mail();
      if (leads === null || leads === "refused") expect(letter).toBeNull();
      else expect(letter?.url.startsWith(`${leads}/auth/`)).toBe(true);
      scene.pass(60_000);
    }
  });

  test("an application that is set for all comes first, but for a tenant's own", async () => {
    await settings(null, { app_url: common });
    await settings(acme, { app_url: ownApp });
    const to = await scene.person(["member", acme], ["member", plain]);
    for (const [tenant, leads] of [
      [acme, ownApp],
      [plain, common],
      [null, common],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop
      await call("/auth/magiclink", { email: to.email, ...(tenant && { tenant_Id: tenant.id }) });
      // oxlint-disable-next-line no-await-in-loop
      expect((await mail())?.url.startsWith(`${leads}/auth/`)).toBe(true);
      scene.pass(60_000);
    }
  });

  test("an invitation has the words of the tenant that it is to, and leads to its application", async () => {
    await settings(acme, { app_url: ownApp, project_name: "Acme & Sons" });
    await template(acme, "inviteNewUser", "{{ tenant }} by {{ project_name }}", {
      body: '<a href="{{ inviteLink }}">come</a>',
    });
    const email = `invited-${crypto.randomUUID()}@example.com`;
    const wanted = { email, role_Id: scene.role("member"), tenant_Id: acme.id };
    const answer = await call("/auth/invite", wanted, await scene.admin());
    expect([answer.status, answer.text]).toEqual([200, expect.any(String)]);
    const letter = await mail();
    expect(letter).toMatchObject({ to: email, subject: "Acme by Acme & Sons" });
    expect(letter?.url.startsWith(`${ownApp}/`)).toBe(true);
    const token = new URL(letter?.url ?? "").searchParams.get("token");
    const body = { email, password: "a good password", firstName: "Ada", inviteToken: token };
    expect(signedIn(await call("/auth/register", body)).tenant).toEqual(acme);
  });

  test("who acts in a tenant confirms the own address in its application", async () => {
    await settings(acme, { app_url: ownApp, project_name: "Acme" });
    const to = await scene.person(["member", acme]);
    await scene.app.data.update(root, "baasix_User", [{ id: to.id, data: { emailVerified: false } }]);
    const { token } = signedIn(await scene.signIn(to));
    expect((await call("/auth/email/verify", {}, token)).status).toBe(200);
    const letter = await mail();
    expect(letter?.url.startsWith(`${ownApp}/auth/verify-email/`)).toBe(true);
    expect(letter?.html).toContain("Acme");
  });

  test.each([
    "https://a.example?x",
    "https://a.example#x",
    "https://user@a.example",
    "javascript:alert(1)",
    "a b",
  ])("%s is no application", async (app_url) => {
    expect(settings(acme, { app_url })).rejects.toThrow("VALIDATION_ERROR");
  });
});
