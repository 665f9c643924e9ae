/** How many imports there may be at once: those whose files arrive are counted apart from those that write. */
import { expect, test } from "bun:test";
import { createSeats, type Seat, type Seats } from "./seats";

/** Two for each of so many accounts. */
function fill(take: Seats, accounts: number, name: string): readonly Seat[] {
  return Array.from({ length: accounts * 2 }, (_, i) => take(`${name}${i >> 1}`));
}

test("senders who are slow keep nobody else out", () => {
  const take = createSeats();
  const slow = fill(take, 8, "slow");
  const other = take("other");
  other.arrived();
  other.leave();
  expect(() => take("slow0")).toThrow("Too many imports of yours at once");
  for (const seat of slow) seat.leave();
  take("slow0").leave();
});

test("so many files may arrive, and so many be here; each place is free again when its import ends", () => {
  const take = createSeats();
  const slow = fill(take, 16, "slow");
  expect(() => take("other")).toThrow("Too many imports at once");
  const [first, ...others] = slow;
  first?.leave();
  const other = take("other");
  other.arrived();
  other.leave();
  for (const seat of others.slice(0, 8)) seat.arrived();
  expect(() => take("other")).toThrow("Too many imports at once");
  others[0]?.leave();
  take("other").leave();
});
