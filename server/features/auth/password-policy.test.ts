import { expect, test } from "bun:test";
import { AppError } from "../../core/errors";
import { createPasswordPolicy, type PasswordOwner } from "./password-policy";

const owner: PasswordOwner = {
  email: "annabel.smith@acme-tools.com",
  username: "bel_smith",
  firstName: "Annabel",
  lastName: "Ng",
};
const reasonOf = (work: Promise<void>) =>
  work.then(
    () => null,
    (error: unknown) => (error instanceof AppError ? (error.details as { rule: string }[])[0]?.rule : error),
  );

const table: readonly (readonly [password: string, rule: string | null])[] = [
  ["password", "common"],
  ["password123", "common"],
  ["PASSWORD1!", "common"],
  ["p@ssw0rd", "common"],
  ["iloveyou", "common"],
  ["12345678", "common"],
  ["qwertyuiop", "common"],
  ["sunshine2024", "common"],
  ["monkeymonkey", "common"],
  ["zzzzzzzzzz", "common"],
  ["annabel1990", "similar"],
  ["Annabel!!", "similar"],
  ["4nnabel.sm1th", "similar"],
  ["bel-smith-1", "similar"],
  ["acmetools", "similar"],
  ["lebanna3", null],
  ["annabel rides seven purple tractors", null],
  ["seven purple tractors", null],
  ["ng-correct-battery", null],
  ["kX9#mQ2$vL", null],
  ["žluťoučký kůň", null],
  ["密码密码密码密码", null],
  ["short", "len"],
  ["x".repeat(129), "len"],
  ["1234567\0", "len"],
];

test.each(table)("strict: %s", async (password, rule) => {
  expect(await reasonOf(createPasswordPolicy({ PASSWORD_POLICY: "strict" }).check(password, owner))).toBe(
    rule,
  );
});

test("by length alone the documents' password123 will do", async () => {
  const policy = createPasswordPolicy({ PASSWORD_POLICY: "length" });
  expect(await reasonOf(policy.check("password123", owner))).toBeNull();
  expect(await reasonOf(policy.check("short", owner))).toBe("len");
});

test("nothing known of the owner is like nothing", async () => {
  const policy = createPasswordPolicy({ PASSWORD_POLICY: "strict" });
  for (const nobody of [{}, { email: "", firstName: null }, { email: "a@b.c", firstName: "Al" }])
    expect(await reasonOf(policy.check("almost seven tractors", nobody))).toBeNull();
});

test("the application's own check comes last and sees whose password it is", async () => {
  const seen: PasswordOwner[] = [];
  const policy = createPasswordPolicy({ PASSWORD_POLICY: "length" }, (password, given) => {
    seen.push(given);
    return password.includes("horse") ? "no horses" : null;
  });
  expect(await reasonOf(policy.check("short", owner))).toBe("len");
  expect(seen).toEqual([]);
  expect(await reasonOf(policy.check("correct horse", owner))).toBe("custom");
  expect(await reasonOf(policy.check("correct cow", owner))).toBeNull();
  expect(seen).toEqual([owner, owner]);
});
