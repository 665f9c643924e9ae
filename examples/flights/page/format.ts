/** How dates, delays and numbers are written. */

// The files hold local times without a zone; they are stored as UTC and shown as they were.
const dateTime = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });
const number = new Intl.NumberFormat("en");

/** `2001-01-01T00:47:00+00:00` → `Jan 1, 2001, 12:47 AM`. */
export function formatDate(text: string): string {
  return dateTime.format(new Date(text));
}

/** `2475` → `2,475`. */
export function formatNumber(value: number): string {
  return number.format(value);
}

/** How late a flight is, and in words. A quarter of an hour still counts as on time, as the airlines count it. */
export function describeDelay(minutes: number): {
  readonly level: "early" | "on-time" | "late" | "very-late";
  readonly text: string;
} {
  if (minutes < 0) return { level: "early", text: `${-minutes} min early` };
  if (minutes === 0) return { level: "on-time", text: "On time" };
  const text =
    minutes < 120 ? `${minutes} min late` : `${Math.floor(minutes / 60)} h ${minutes % 60} min late`;
  if (minutes < 15) return { level: "on-time", text };
  return { level: minutes < 60 ? "late" : "very-late", text };
}
