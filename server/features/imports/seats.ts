/** How many imports there may be at a time: each has a file on the disk, and while it writes a connection. */
import { AppError } from "../../core/errors";

const seats = 8;
const seatsPerAccount = 2;

/** Takes a seat for an account; gives the function that leaves it. @throws AppError UNAVAILABLE when none is free. */
export type Seats = (account: string) => () => void;

export function createSeats(): Seats {
  const taken = new Map<string, number>();
  let all = 0;
  return (account) => {
    const own = taken.get(account) ?? 0;
    if (own >= seatsPerAccount || all >= seats) {
      const whose = own >= seatsPerAccount ? "of yours " : "";
      throw new AppError("UNAVAILABLE", `Too many imports ${whose}at once; try again when one has ended`, {
        retryAfter: 5,
      });
    }
    taken.set(account, own + 1);
    all++;
    return () => {
      const left = (taken.get(account) ?? 1) - 1;
      if (left > 0) taken.set(account, left);
      else taken.delete(account);
      all--;
    };
  };
}
