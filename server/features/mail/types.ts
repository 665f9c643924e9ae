/** The kinds of mails: which values each takes, and what it says where nobody has written a template. */
import accountExists from "./templates/accountExists.liquid" with { type: "text" };
import confirmCode from "./templates/confirmCode.liquid" with { type: "text" };
import emailChanged from "./templates/emailChanged.liquid" with { type: "text" };
import emailVerification from "./templates/emailVerification.liquid" with { type: "text" };
import inviteExistingUser from "./templates/inviteExistingUser.liquid" with { type: "text" };
import inviteNewUser from "./templates/inviteNewUser.liquid" with { type: "text" };
import layout from "./templates/layout.liquid" with { type: "text" };
import magicLinkCode from "./templates/magicLinkCode.liquid" with { type: "text" };
import magicLinkUrl from "./templates/magicLinkUrl.liquid" with { type: "text" };
import notification from "./templates/notification.liquid" with { type: "text" };
import otpCode from "./templates/otpCode.liquid" with { type: "text" };
import passwordReset from "./templates/passwordReset.liquid" with { type: "text" };
import test from "./templates/test.liquid" with { type: "text" };
import welcome from "./templates/welcome.liquid" with { type: "text" };

/**
 * A value that a template shows. `url`: an address of the web, and nothing that runs. `time`: ISO 8601. `secret`: opens
 * something, so no log keeps it. `longest`: characters; a `label` (what people call themselves) is cut there, all else refused.
 */
export type Variable = {
  readonly kind: "text" | "label" | "url" | "time";
  readonly longest: number;
  readonly optional: boolean;
  readonly secret: boolean;
};

const variable = <Optional extends boolean>(
  kind: Variable["kind"],
  longest: number,
  optional: Optional,
  secret = false,
) => ({ kind, longest, optional, secret }) as const;

const name = variable("label", 64, true);
const time = variable("time", 40, true);
const secretLink = variable("url", 2048, false, true);
const secretCode = variable("text", 64, false, true);
const invitation = {
  inviterName: name,
  tenant: name,
  inviteLink: secretLink,
  expirationDate: time,
};

/** All kinds by name. */
export const mailTypes = {
  magicLinkUrl: {
    subject: "Sign in to {{ project_name }}",
    body: magicLinkUrl,
    variables: { name, magicLinkUrl: secretLink, expiresAt: time },
  },
  magicLinkCode: {
    subject: "Your code for {{ project_name }}",
    body: magicLinkCode,
    variables: { name, code: secretCode, expiresAt: time },
  },
  otpCode: {
    subject: "Your code for {{ project_name }}",
    body: otpCode,
    variables: { name, code: secretCode, expiresAt: time },
  },
  passwordReset: {
    subject: "Your password at {{ project_name }}",
    body: passwordReset,
    variables: { name, resetUrl: secretLink, expiresAt: time },
  },
  emailVerification: {
    subject: "Confirm your mail address",
    body: emailVerification,
    variables: { name, verifyUrl: secretLink, expiresAt: time },
  },
  emailChanged: {
    subject: "Your mail address at {{ project_name }} has changed",
    body: emailChanged,
    variables: { name, undoUrl: variable("url", 2048, true, true), expiresAt: time },
  },
  confirmCode: {
    subject: "Your code for {{ project_name }}",
    body: confirmCode,
    variables: { name, code: secretCode, expiresAt: time },
  },
  inviteNewUser: {
    subject: "You are invited to {{ project_name }}",
    body: inviteNewUser,
    variables: invitation,
  },
  inviteExistingUser: {
    subject: "You are invited to {{ project_name }}",
    body: inviteExistingUser,
    variables: invitation,
  },
  accountExists: {
    subject: "Your account at {{ project_name }}",
    body: accountExists,
    variables: { name, loginUrl: variable("url", 2048, true) },
  },
  welcome: {
    subject: "Welcome to {{ project_name }}",
    body: welcome,
    variables: { name, loginUrl: variable("url", 2048, true) },
  },
  notification: {
    subject: "{{ notification_title }}",
    body: notification,
    variables: {
      name,
      notification_title: variable("text", 255, false),
      notification_message: variable("text", 8192, false),
      action_url: variable("url", 2048, true),
      action_text: variable("label", 64, true),
    },
  },
  test: { subject: "A mail from {{ project_name }}", body: test, variables: {} },
} as const satisfies Readonly<Record<string, MailKind>>;

/** One kind: its own words, and the values that they and any other template of it may show. */
export type MailKind = {
  readonly subject: string;
  readonly body: string;
  readonly variables: Readonly<Record<string, Variable>>;
};

export type MailType = keyof typeof mailTypes;

type Variables<Type extends MailType> = (typeof mailTypes)[Type]["variables"];
type Required<Type extends MailType> = {
  readonly [
    Name in keyof Variables<Type> as Variables<Type>[Name] extends { readonly optional: false } ? Name : never
  ]: string;
};
type Optional<Type extends MailType> = {
  readonly [
    Name in keyof Variables<Type> as Variables<Type>[Name] extends { readonly optional: true } ? Name : never
  ]?: string | null | undefined;
};

/** The values that a kind of mail takes. */
export type MailValues<Type extends MailType> = Required<Type> & Optional<Type>;

/** A kind by a name from outside; null when there is none. */
export function kindOf(type: string): MailKind | null {
  return Object.hasOwn(mailTypes, type) ? mailTypes[type as MailType] : null;
}

/** Around bodies that are no whole page. */
export const pageLayout: string = layout;

/** Who sends, as mails show it. `color` in hex; addresses of the web or null. */
export type Branding = {
  readonly name: string;
  readonly url: string | null;
  readonly logoUrl: string | null;
  readonly color: string;
};

/** What templates of every kind may show, by the names of the settings. */
export function brandingValues({
  name,
  url,
  logoUrl,
  color,
}: Branding): Readonly<Record<string, string | null>> {
  return { project_name: name, project_url: url, logo_url: logoUrl, project_color: color };
}
