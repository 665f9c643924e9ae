/** Templates: what they may say, and what values cannot make of them. */
import { describe, expect, test } from "bun:test";
import { AppError } from "../../core/errors";
import { createRenderer, type Template } from "./render";
import { defaultTemplate } from "./template";
import { type Branding, mailTypes, type MailType } from "./types";
import { checkValues } from "./values";

const branding: Branding = {
  name: "Žofie & Co",
  url: "https://shop.example.com",
  logoUrl: null,
  color: "#112233",
};
const renderer = createRenderer();

/** Values of a kind, all of them. */
const samples: Readonly<Record<string, string>> = {
  name: "Änne",
  magicLinkUrl: "https://shop.example.com/auth/magiclink/abc?x=1&y=2",
  code: "123456",
  resetUrl: "https://shop.example.com/auth/reset-password/abc",
  verifyUrl: "https://shop.example.com/auth/verify-email/abc",
  inviterName: "Bo",
  tenant: "Acme",
  inviteLink: "https://shop.example.com/accept-invite?token=abc&existing=true",
  expirationDate: "2026-11-27T10:00:00Z",
  expiresAt: "2026-11-20T18:30:00+02:00",
  loginUrl: "https://shop.example.com/login",
  notification_title: "New order",
  notification_message: "Two boots\nand a hat",
  action_url: "https://shop.example.com/orders/1",
  action_text: "See it",
};

function sampleOf(type: MailType): Record<string, string> {
  return Object.fromEntries(
    Object.keys(mailTypes[type].variables).map((name) => [name, samples[name] ?? ""]),
  );
}

const render = (template: Partial<Template>, values: Record<string, string> = {}, type = "magicLinkCode") =>
  renderer.render(
    { subject: "Hello", body: "<p>x</p>", text: null, ...template },
    { type, values: { code: "1", ...values }, branding },
  );

describe.each(Object.keys(mailTypes) as MailType[])("the server's own words for %s", (type) => {
  const full = checkValues(type, sampleOf(type));
  const needed = Object.fromEntries(
    Object.entries(mailTypes[type].variables).flatMap(([name, { optional }]) =>
      optional ? [] : [[name, samples[name] ?? ""]],
    ),
  );

  test("pass the check of templates", () => {
    renderer.check(type, defaultTemplate(type));
  });

  test.each([
    ["all values", full],
    ["those that are needed", needed],
  ])("show %s, in both parts", (_what, values) => {
    const { subject, html, text } = renderer.render(defaultTemplate(type), { type, values, branding });
    expect(subject).not.toBe("");
    expect(subject).not.toContain("{");
    for (const part of [html, text]) expect(part).not.toMatch(/\{[{%]|undefined|null/);
    for (const [name, value] of Object.entries(values)) {
      if (mailTypes[type].variables[name as never]?.["kind"] === "time") continue;
      expect(html).toContain(Bun.escapeHTML(value).replace("\n", "<br>"));
      expect(text).toContain(value);
    }
    expect(html).toStartWith("<!doctype html>");
    expect(html).toContain("Žofie &amp; Co");
  });
});

test("a mail as it reads", () => {
  const { subject, html, text } = renderer.render(defaultTemplate("passwordReset"), {
    type: "passwordReset",
    values: checkValues("passwordReset", sampleOf("passwordReset")),
    branding,
  });
  expect(subject).toBe("Your password at Žofie & Co");
  expect(html).toContain(`<a href="https://shop.example.com/auth/reset-password/abc"`);
  expect(html).toContain("background:#112233");
  expect(text).toBe(
    [
      "Žofie & Co",
      "",
      "Hello Änne,",
      "",
      "somebody, you we hope, asks for a new password at Žofie & Co. Choose it here:",
      "",
      "Choose a new password <https://shop.example.com/auth/reset-password/abc>",
      "",
      "The link works once until 2026-11-20 16:30 UTC. If you did not ask for it, do",
      "nothing: your password stays as it is.",
      "",
      "https://shop.example.com",
    ].join("\n"),
  );
});

describe("values stay data", () => {
  const hostile = `</p><script>alert(1)</script>{{ code }}{% assign code = 2 %}"onload='x'&amp;`;

  test.each([
    ["a value", "<p>{{ name }}</p>"],
    ["an attribute", `<p title="{{ name }}">x</p>`],
    ["a capture", "<p>{% capture who %}{{ name }}{% endcapture %}{{ who }}</p>"],
    ["a filter", "<p>{{ name | append: name }}</p>"],
    ["a loop", `{% assign parts = name | split: " " %}{% for part in parts %}{{ part }}{% endfor %}`],
    ["a list", `{% assign parts = name | split: " " %}{{ parts }}`],
  ])("in %s", (_where, body) => {
    const { html } = render({ body }, { name: hostile, code: "secret" });
    expect(html).not.toContain("<script>");
    expect(html).not.toContain(`"onload=`);
    expect(html).not.toContain("secret");
    expect(html).toContain("{{");
  });

  test("in the subject, which stays one line", () => {
    const { subject } = render(
      { subject: "Hi {{ name }}" },
      { name: "A\r\nBcc: eve@example.com\u2028{{ code }}" },
    );
    expect(subject).toBe("Hi A Bcc: eve@example.com {{ code }}");
    // What joins the parts of one sign stays, and a long one is cut between signs.
    expect(render({ subject: "{{ name }}" }, { name: "👩‍👧 می‌خواهم" }).subject).toBe("👩‍👧 می‌خواهم");
    expect(render({ subject: "{{ name }}" }, { name: "🦊".repeat(300) }).subject).toBe(
      `${"🦊".repeat(254)}…`,
    );
  });

  test("in the plain part, which is no HTML", () => {
    expect(render({ text: "Hi {{ name }}" }, { name: "<b>&</b> {{ code }}" }).text).toBe(
      "Hi <b>&</b> {{ code }}",
    );
  });

  test("in the title of the page", () => {
    expect(render({ subject: "{{ name }}" }, { name: "<script>" }).html).toContain(
      "<title>&lt;script&gt;</title>",
    );
  });
});

test("a page of its own goes without the layout", () => {
  expect(render({ body: "<html><body>{{ name }}</body></html>" }, { name: "Ann" }).html).toBe(
    "<html><body>Ann</body></html>",
  );
});

test("what is kept of a subject holds no secret", () => {
  const shown = { type: "otpCode", values: { name: "Ann", code: "123456" }, branding };
  expect(renderer.loggedSubject({ subject: "{{ code }} for {{ name }}" }, shown)).toBe("••• for Ann");
});

describe("templates that are refused", () => {
  test.each<[Partial<Template>, string]>([
    [{ body: "{{ name" }, "body: output "],
    [{ body: "{% if name %}" }, "body: tag "],
    [{ body: "{{ resetURL }}" }, "body: 'resetURL' is no value of this mail; did you mean 'resetUrl'?"],
    [{ subject: "{{ code }}" }, "subject: 'code' is no value of this mail"],
    [{ text: "{{ nmae }}" }, "text: 'nmae' is no value of this mail; did you mean 'name'?"],
    [{ subject: "a\nb" }, "subject: must be one line"],
    [{ body: "{{ name | raw }}" }, "body: undefined filter: raw"],
    [{ body: "{{ name | upcsae }}" }, "body: undefined filter: upcsae"],
    [{ body: "x".repeat(700_000) }, "body: parse length limit exceeded"],
    ...[
      "include 'x'",
      "render '/etc/passwd'",
      "layout 'x'",
      "block x",
      "echo name",
      "cycle name",
      "liquid x",
      "tablerow a in b",
      "increment a",
      "decrement a",
    ].map((tag): [Partial<Template>, string] => [
      { body: `{% ${tag} %}` },
      `body: tag "${tag.split(" ")[0]}" not found`,
    ]),
  ])("%o", (template, message) => {
    try {
      renderer.check("passwordReset", template);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      expect(error.code).toBe("VALIDATION_ERROR");
      expect(error.message).toStartWith(message);
      return;
    }
    throw new Error("it was taken");
  });

  test("a template whose kind is not said may show what any kind shows", () => {
    renderer.check(null, { body: "{{ code }} {{ resetUrl }} {{ project_name }}" });
    expect(() => renderer.check(null, { body: "{{ nothing }}" })).toThrow("'nothing' is no value");
  });
});

describe("bounds", () => {
  test.each([
    [
      "time",
      "{% for i in (1..99999) %}{% for j in (1..99999) %}{% assign x = i | plus: j %}{% endfor %}{% endfor %}",
    ],
    ["memory", "{% assign x = name %}{% for i in (1..60) %}{% assign x = x | append: x %}{% endfor %}"],
    ["size", `{% for i in (1..20000) %}${"x".repeat(100)}{% endfor %}`],
  ])("of %s", (_what, body) => {
    expect(() => render({ body }, { name: "a name" })).toThrow(/^body: /);
  });

  test.each(["name.constructor", "name.__proto__", "project_name.constructor.name", "constructor"])(
    "a template does not reach %s",
    (path) => {
      expect(() => render({ body: `{{ ${path} }}` }, { name: "Ann" })).toThrow("undefined variable");
    },
  );
});

describe("values", () => {
  const link = "https://shop.example.com/x";

  test.each<[string, Record<string, unknown>, string]>([
    ["nothing that is needed is left out", {}, "mail.passwordReset.resetUrl: must be a text"],
    ["texts only", { resetUrl: { path: "/etc/passwd" } }, "mail.passwordReset.resetUrl: must be a text"],
    [
      "nothing else",
      { resetUrl: link, resetURL: "x" },
      "mail.passwordReset.resetURL: is no value of this mail",
    ],
    [
      "no address that runs",
      { resetUrl: "javascript:alert(1)" },
      "mail.passwordReset.resetUrl: must be an address",
    ],
    [
      "no address of a file",
      { resetUrl: "file:///etc/passwd" },
      "mail.passwordReset.resetUrl: must be an address",
    ],
    [
      "no address with a break",
      { resetUrl: `${link}\nx` },
      "mail.passwordReset.resetUrl: must be an address",
    ],
    ["not too long", { resetUrl: link + "x".repeat(2048) }, "mail.passwordReset.resetUrl: must have at most"],
    ["a time", { resetUrl: link, expiresAt: "soon" }, "mail.passwordReset.expiresAt: must be a time"],
  ])("%s", (_rule, values, message) => {
    expect(() => checkValues("passwordReset", values)).toThrow(message);
  });

  test("what people call themselves is one short line", () => {
    const name = `  Änne\r\n\u0007 ${"🦊".repeat(100)}`;
    expect(checkValues("welcome", { name })).toEqual({ name: `Änne ${"🦊".repeat(58)}…` });
    expect(checkValues("welcome", { name: null })).toEqual({});
  });
});

describe("what people call themselves leads nowhere, as strangers have mails sent with it", () => {
  test.each([
    ["Win at https://evil.example/now", "Win at https evil example/now"],
    ["www.evil.example", "www evil example"],
    ["me@evil.example", "me evil example"],
    ["\u202Emoc.live\u2069", "moc live"],
    ["Dr. J. R. Ng-O'Hara Jr. (she/her)", "Dr. J. R. Ng-O'Hara Jr. (she/her)"],
    ["می‌خواهم", "می‌خواهم"],
  ])("%p: %p", (name, shown) => expect(checkValues("welcome", { name })).toEqual({ name: shown }));
});
