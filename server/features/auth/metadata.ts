/** `userMetadata` and `appMetadata`: what an account says of itself, and what administrators say of it. */
import { z } from "zod";

/** The most that one of them may hold, in bytes of JSON text. */
export const mostMetadata = 16_384;

/** An object of any values that JSON has. */
export const metadata = z
  .record(z.string(), z.unknown())
  .refine(isSmall, `holds more than ${mostMetadata} bytes of JSON`);

/** Whether a value is short enough to be kept. */
export function isSmall(value: unknown): boolean {
  return Buffer.byteLength(JSON.stringify(value) ?? "") <= mostMetadata;
}
