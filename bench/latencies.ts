/** Times of a run, kept without allocating for each, and writes at a steady pace whatever their answers take. */

/** Milliseconds of up to `most` events. */
export type Latencies = {
  readonly add: (ms: number) => void;
  readonly count: () => number;
  /** Milliseconds below which `share` of them lie (0.99: p99, 1: the longest); NaN when there is none. */
  readonly at: (share: number) => number;
  readonly clear: () => void;
};

/** Room for so many; what comes beyond is counted, but not kept. */
export function createLatencies(most: number): Latencies {
  const values = new Float64Array(most);
  let count = 0;
  return {
    add: (ms) => {
      if (count < most) values[count] = ms;
      count++;
    },
    count: () => count,
    at: (share) => {
      const sorted = values.slice(0, count).sort();
      return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
    },
    clear: () => void (count = 0),
  };
}

/** `p50 / p99 / max`, in ms. */
export function summary(latencies: Latencies): string {
  return [0.5, 0.99, 1].map((share) => latencies.at(share).toFixed(1)).join(" / ");
}

/** Calls at a steady pace (open loop): a call that is late does not delay those after it. */
export async function pace(
  perSecond: number,
  seconds: number,
  call: (number: number) => void,
): Promise<void> {
  const begun = performance.now();
  for (let n = 0; n < perSecond * seconds; n++) {
    const wait = begun + (n * 1000) / perSecond - performance.now();
    if (wait > 0) await Bun.sleep(wait);
    call(n);
  }
}

/** Waits until something holds, at most `seconds`; gives whether it does. */
export async function until(holds: () => boolean, seconds = 10): Promise<boolean> {
  const begun = performance.now();
  while (!holds() && performance.now() - begun < seconds * 1000) await Bun.sleep(20);
  return holds();
}

/** The time of sending as text of one width, which an event carries to its receiver. */
export function stampNow(): string {
  return performance.now().toFixed(3).padStart(stampWidth, "0");
}

const stampWidth = 14;
const field = '"note":"';

/** Calls back with the time of each item of a message that holds several. */
export function eachSentAt(text: string, found: (sent: number) => void): void {
  for (let place = text.indexOf(field); place >= 0; place = text.indexOf(field, place + stampWidth)) {
    found(Number(text.substr(place + field.length, stampWidth)));
  }
}

/** When the event was sent, found in its text without parsing it: tens of thousands come a second. NaN: it carries none. */
export function sentAt(text: string): number {
  const place = text.indexOf(field);
  return place < 0 ? NaN : Number(text.substr(place + field.length, stampWidth));
}
