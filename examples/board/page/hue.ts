/** Colours of people. */

/** One of six colours, the same on every screen. */
export function hueOf(userId: string): number {
  let sum = 0;
  for (const letter of userId) sum = (sum * 31 + letter.charCodeAt(0)) % 997;
  return sum % 6;
}
