/** Which addresses a sign-in may lead back to. */
import { expect, test } from "bun:test";
import { AppError } from "../../core/errors";
import { requireAllowed, withParameters } from "./redirects";

const entries = ["https://app.example.com", "https://other.example.com/only/here/", "http://localhost:5173"];

test.each<[address: string, allowed: string | false]>([
  ["https://app.example.com", "https://app.example.com/"],
  ["https://app.example.com/auth/callback?next=/a", "https://app.example.com/auth/callback?next=/a"],
  ["HTTPS://APP.example.com/x", "https://app.example.com/x"],
  ["https://app.example.com:443/x", "https://app.example.com/x"],
  ["https://app.example.com/a/../b", "https://app.example.com/b"],
  ["https://other.example.com/only/here", "https://other.example.com/only/here"],
  ["http://localhost:5173/x", "http://localhost:5173/x"],
  ["https://other.example.com/only/here/below", false],
  ["https://other.example.com/only/hereafter", false],
  ["https://other.example.com/only/here/../../else", false],
  ["https://other.example.com/", false],
  ["http://app.example.com/", false],
  ["https://app.example.com:8443/", false],
  ["http://localhost:5174/x", false],
  ["https://app.example.com.evil.com/", false],
  ["https://app.example.comevil.com/", false],
  ["https://sub.app.example.com/", false],
  ["https://evil.com/https://app.example.com/", false],
  ["https://app.example.com@evil.com/", false],
  ["https://user@app.example.com/", false],
  ["https://user:pass@app.example.com/", false],
  ["https://evil.com\\@app.example.com/", false],
  ["https://app.example.com\\@evil.com/", false],
  ["https:\\\\app.example.com/", false],
  ["https:/app.example.com/", false],
  ["https:app.example.com/", false],
  ["https:///app.example.com/", false],
  ["//app.example.com/", false],
  ["/auth/callback", false],
  ["https://app.example.com/#token=1", false],
  ["https://app.example.com/x#", false],
  ["https://app.example.com%2f@evil.com/", false],
  ["https://app.example.com%00.evil.com/", false],
  ["https://app.example。com.evil.com/", false],
  [" https://app.example.com/", false],
  ["https://app.example.com/\nx", false],
  ["https://app.exam\tple.com/", false],
  ["javascript:alert(1)//https://app.example.com/", false],
  ["data:text/html,https://app.example.com/", false],
  [`https://app.example.com/${"x".repeat(2048)}`, false],
  ["", false],
])("%s: %s", (address, allowed) => {
  if (allowed === false) expect(() => requireAllowed(entries, address, "redirect_url")).toThrow(AppError);
  else expect(requireAllowed(entries, address, "redirect_url").href).toBe(allowed);
});

test("nothing is allowed where nothing is listed", () => {
  expect(() => requireAllowed([], "https://app.example.com/", "redirect_url")).toThrow(
    "redirect_url: not an address of AUTH_APP_URL",
  );
});

test("what is told replaces what the address said under the same names", () => {
  const told = { token: "t&x", state: null, error: null };
  expect(withParameters("https://a.example/cb?token=old&state=old&error=old&next=%2Fa", told)).toBe(
    "https://a.example/cb?next=%2Fa&token=t%26x",
  );
});
