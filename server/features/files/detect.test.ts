import { expect, test } from "bun:test";
import { detectType } from "./detect";

const text = (value: string) => new TextEncoder().encode(value);
const hex = (value: string) => Uint8Array.fromHex(value.replaceAll(" ", ""));

const cases: readonly [string, Uint8Array, string, string][] = [
  ["text named .png", text("just words"), "photo.png", "text/plain"],
  ["HTML named .jpg", text("\n<!DOCTYPE html><p>"), "photo.jpg", "text/html"],
  ["a script tag named .txt", text("<script>alert(1)</script>"), "a.txt", "text/html"],
  ["JPEG named .txt", hex("ffd8ffe0 00104a46 49460001"), "a.txt", "image/jpeg"],
  ["PNG", hex("89504e47 0d0a1a0a 0000000d 49484452 00000001 00000001"), "x", "image/png"],
  ["GIF", text("GIF89a\u0001\u0000\u0001"), "x", "image/gif"],
  ["WebP", text("RIFF\u0024\u0000\u0000\u0000WEBPVP8 "), "x", "image/webp"],
  ["PDF", text("%PDF-1.7\n%âã"), "x", "application/pdf"],
  ["MP4", hex("00000018 66747970 6d703432 00000000 6d703432 69736f6d"), "x", "video/mp4"],
  ["an empty file", text(""), "x.bin", "text/plain"],
  ["bytes of no known kind", hex("0001 0203 0405 0607 0809"), "photo.png", "application/octet-stream"],
  ["text with a NUL", text("a\u0000b"), "a.txt", "application/octet-stream"],
  ["not UTF-8", hex("61 ff fe 62"), "a.txt", "application/octet-stream"],
  ["a character cut at the end of the start", hex("61 62 e2 82"), "a.txt", "text/plain"],
  ["CSV", text("a,b\n1,2\n"), "Numbers.CSV", "text/csv"],
  ["JSON", text("{}"), "a.json", "application/json"],
  ["scripts and styles are plain text", text("alert(1)"), "a.js", "text/plain"],
  ["a name cannot claim HTML", text("words"), "a.html", "text/plain"],
  ["SVG", text('<svg xmlns="http://www.w3.org/2000/svg"/>'), "a.txt", "image/svg+xml"],
  [
    "SVG behind a declaration, a comment and a document type",
    text('\uFEFF<?xml version="1.0"?>\n<!-- > by hand -->\n<!DOCTYPE svg PUBLIC "x" "y">\n<svg>'),
    "a.svg",
    "image/svg+xml",
  ],
  ["other XML", text('<?xml version="1.0"?><rss/>'), "a.svg", "application/xml"],
  ["an open comment ends", text("<!-- never closed"), "a.svg", "text/plain"],
];

test.each(cases)("%s", async (_name, bytes, name, type) => {
  expect(await detectType(bytes, name)).toBe(type);
});
