/**
 * How many imports there may be at a time. A file that is still arriving holds a place on the disk; one that is here waits for,
 * or holds, a connection. They are counted apart, so that slow senders keep nobody else's file out.
 */
import { AppError } from "../../core/errors";

/** Files that are here and not read to their end, beyond which no further one is begun. */
const seats = 8;
const arrivals = 32;
const seatsPerAccount = 2;

/** One import. `arrived`: its file is here. `leave`: it has ended, wherever it was. */
export type Seat = { readonly arrived: () => void; readonly leave: () => void };

/** Takes a seat for an account. @throws AppError UNAVAILABLE when none is free. */
export type Seats = (account: string) => Seat;

export function createSeats(): Seats {
  const taken = new Map<string, number>();
  let [arriving, here] = [0, 0];
  return (account) => {
    const own = taken.get(account) ?? 0;
    if (own >= seatsPerAccount || arriving >= arrivals || here >= seats) {
      const whose = own >= seatsPerAccount ? "of yours " : "";
      throw new AppError("UNAVAILABLE", `Too many imports ${whose}at once; try again when one has ended`, {
        retryAfter: 5,
      });
    }
    taken.set(account, own + 1);
    arriving++;
    let isHere = false;
    return {
      arrived: () => {
        isHere = true;
        arriving--;
        here++;
      },
      leave: () => {
        const left = (taken.get(account) ?? 1) - 1;
        if (left > 0) taken.set(account, left);
        else taken.delete(account);
        if (isHere) here--;
        else arriving--;
      },
    };
  };
}
