/** Codes by RFC 6238, the window around now, and the picture that apps read. */
import { describe, expect, test } from "bun:test";
import { decodeQR } from "qr/decode.js";
import { Secret } from "otpauth";
import { makeSecret, qrOf, stepOf, uriOf } from "./totp";

// RFC 6238, appendix B: the last six of its eight digits.
const secret = Secret.fromLatin1("12345678901234567890").base32;
const vectors: readonly (readonly [seconds: number, code: string])[] = [
  [59, "287082"],
  [1111111109, "081804"],
  [1111111111, "050471"],
  [1234567890, "005924"],
  [2000000000, "279037"],
  [20000000000, "353130"],
];

test.each(vectors)("at %d s the code is %s", (seconds, code) => {
  expect(stepOf(secret, code, seconds * 1000)).toBe(Math.floor(seconds / 30));
});

describe("the code of step 41152263 is that step's", () => {
  const [at, code] = [1234567890_000, "005924"];
  test.each([
    ["now", 0, 41152263],
    ["a step later", 30_000, 41152263],
    ["a step earlier", -30_000, 41152263],
    ["two steps later, when it is nobody's", 60_000, null],
    ["two steps earlier", -60_000, null],
  ] as const)("%s", (_, off, step) => expect(stepOf(secret, code, at + off)).toBe(step));
});

test.each(["", "00592", "0059245", "00592a", "-05924", "٠٠٥٩٢٤", "5924", "005 924"])(
  "%p is no code",
  (text) => {
    expect(stepOf(secret, text, 1234567890_000)).toBeNull();
  },
);

test("secrets are 160 bits, each another", () => {
  const made = new Set(Array.from({ length: 50 }, makeSecret));
  expect(made.size).toBe(50);
  for (const one of made) expect(one).toMatch(/^[A-Z2-7]{32}$/);
});

test("the picture says the address, and the address the secret", async () => {
  const uri = uriOf(secret, "Shop: Näh & Co", "ada+x@example.com");
  expect(uri).toBe(
    `otpauth://totp/Shop%3A%20N%C3%A4h%20%26%20Co:ada%2Bx%40example.com?issuer=Shop%3A%20N%C3%A4h%20%26%20Co&secret=${secret}&algorithm=SHA1&digits=6&period=30`,
  );
  const svg = await qrOf(uri);
  expect(svg).toMatch(/^<svg [^>]*viewBox/);
  // Rendered by a process of its own: in one that serves images, sharp reads no SVG.
  const program = `
    const picture = require("sharp")(await Bun.stdin.bytes(), { density: 400 }).ensureAlpha().raw();
    const { data, info } = await picture.toBuffer({ resolveWithObject: true });
    console.log(JSON.stringify({ width: info.width, height: info.height, data: data.toString("base64") }));`;
  const renderer = Bun.spawn([process.execPath, "-e", program], {
    cwd: import.meta.dir,
    stdin: new Blob([svg]),
  });
  const drawn = JSON.parse(await new Response(renderer.stdout).text()) as {
    width: number;
    height: number;
    data: string;
  };
  expect(decodeQR({ ...drawn, data: Buffer.from(drawn.data, "base64") })).toBe(uri);
});
