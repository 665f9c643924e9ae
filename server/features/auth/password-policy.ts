/**
 * Which passwords are accepted: by length for all; with the policy `strict` none that many people have (the list of
 * @zxcvbn-ts/language-common, some 49,000 entries, MIT licence) or that the account itself gives away; and what an embedding
 * application asks beyond that.
 */
import { AppError } from "../../core/errors";

/** Characters. */
const passwordLength = { min: 8, max: 128 } as const;

/** Whose password it is to be, as far as that is known. */
export type PasswordOwner = {
  readonly email?: string | null | undefined;
  readonly username?: string | null | undefined;
  readonly firstName?: string | null | undefined;
  readonly lastName?: string | null | undefined;
};

/** A check of the embedding application: what is wrong, as a sentence for the password's owner, or null. */
export type CheckPassword = (password: string, owner: PasswordOwner) => string | null;

/** Settings; `Config` fits. */
export type PolicyConfig = { readonly PASSWORD_POLICY: "length" | "strict" };

export type PasswordPolicy = {
  /** @throws AppError VALIDATION_ERROR with the sentence for its owner */
  readonly check: (password: string, owner: PasswordOwner) => Promise<void>;
};

/** What is wrong with a password by itself, as a sentence for its owner; null when it is accepted. */
export function passwordFault(password: string): string | null {
  if (!password.isWellFormed() || password.includes("\0"))
    return "Password contains characters that cannot be used";
  // Code points: a character outside the basic plane is one, not two. Cut first, so that a megabyte is not counted.
  const { length } = Array.from(password.slice(0, passwordLength.max * 2 + 1));
  if (length < passwordLength.min) return `Password must be at least ${passwordLength.min} characters`;
  if (length > passwordLength.max) return `Password must be at most ${passwordLength.max} characters`;
  return null;
}

/** Makes a policy. */
export function createPasswordPolicy(
  { PASSWORD_POLICY }: PolicyConfig,
  checkPassword?: CheckPassword | undefined,
): PasswordPolicy {
  const strict = PASSWORD_POLICY === "strict";
  let common: ReadonlySet<string> | null = null;
  return {
    check: async (password, owner) => {
      const fault = passwordFault(password);
      if (fault !== null) throw refused(fault, "len");
      if (strict) {
        if (isLike(password, owner))
          throw refused("Password is too much like the account's name or address", "similar");
        common ??= await commonPasswords();
        if (isCommon(password, common))
          throw refused("Password is one that many people use; choose another", "common");
      }
      const own = checkPassword?.(password, owner) ?? null;
      if (own !== null) throw refused(own, "custom");
    },
  };
}

function refused(message: string, rule: string): AppError {
  return new AppError("VALIDATION_ERROR", message, [{ field: "password", message, rule }]);
}

/** Loaded with the first password that is checked against it. */
async function commonPasswords(): Promise<ReadonlySet<string>> {
  const { dictionary } = await import("@zxcvbn-ts/language-common");
  return new Set(dictionary["passwords-common"]);
}

const spellings: Readonly<Record<string, string>> = {
  "0": "o",
  "1": "l",
  "3": "e",
  "4": "a",
  "5": "s",
  "7": "t",
  "@": "a",
  $: "s",
  "!": "i",
};

/** The password as people vary it: other case, signs in place of letters, a number or sign at the end, the same twice. */
function isCommon(password: string, common: ReadonlySet<string>): boolean {
  const lower = password.toLowerCase();
  const bare = lower.replace(/[^\p{L}]{1,4}$/u, "");
  const half = lower.slice(0, lower.length / 2);
  const forms = [lower, bare, ...(half + half === lower ? [half] : [])];
  return (
    /^(.)\1*$/u.test(lower) ||
    forms.some((form) => form !== "" && (common.has(form) || common.has(respell(form))))
  );
}

function respell(text: string): string {
  return text.replace(/[01345@7$!]/g, (sign) => spellings[sign] ?? sign);
}

/** Parts of the account shorter than these are in too many passwords by chance. */
const shortestPart = 4;

/** The password holds a part of the account, or is held by it. */
function isLike(password: string, { email, username, firstName, lastName }: PasswordOwner): boolean {
  const bare = letters(password);
  const [local = "", domain = ""] = (email ?? "").split("@");
  const parts = [
    local,
    ...local.split(/[^\p{L}\p{N}]+/u),
    domain.split(".")[0] ?? "",
    username,
    firstName,
    lastName,
  ];
  return parts.some((part) => {
    const own = letters(part ?? "");
    if (own.length < shortestPart || bare === "") return false;
    // A short name inside a long passphrase gives nothing away.
    return own.includes(bare) || (bare.includes(own) && bare.length - own.length < passwordLength.min);
  });
}

function letters(text: string): string {
  return respell(text.toLowerCase()).replace(/[^\p{L}\p{N}]+/gu, "");
}
