/**
 * How long what is written takes to those who hear of it: a load at a steady pace, two seconds of it to warm up, then so many that
 * are measured. Each item carries the time at which it was sent in the text that its hearers get.
 */
import { createLatencies, eachSentAt, type Latencies, pace, stampNow, until } from "./latencies";
import { inGroups } from "./listeners";

const warmUp = 2;

/** A load. `cpu`: milliseconds that processes have used so far, by name. */
export type Load<Process extends string> = {
  readonly sockets: number;
  readonly perSecond: number;
  readonly seconds: number;
  /** Opens the socket of a place, which calls back with the text of each message. */
  readonly open: (place: number, onText: (text: string) => void) => Promise<WebSocket>;
  /** Writes an item that carries the note; resolves when that is answered, if it ever is. */
  readonly write: (number: number, note: string, sockets: readonly WebSocket[]) => Promise<unknown> | null;
  readonly cpu: () => Readonly<Record<Process, number>>;
};

/** What became of it. `cores`: how many a process kept busy. */
export type Travel<Process extends string> = {
  /** `500 of 500`, and whether all is there but not once at each socket. */
  readonly delivered: string;
  readonly heard: Latencies;
  readonly answered: Latencies;
  readonly cores: (name: Process) => number;
};

/** Runs a load with sockets of its own. */
export async function measureTravel<Process extends string>({
  sockets: count,
  perSecond,
  seconds,
  open,
  write,
  cpu,
}: Load<Process>): Promise<Travel<Process>> {
  const heard = createLatencies(count * perSecond * seconds);
  const answered = createLatencies(perSecond * seconds);
  /** Events by socket: that the sum is right would not say that each has heard everything once. */
  const each = new Uint32Array(count);
  const sockets: WebSocket[] = [];
  await inGroups(count, 10, async (place) => {
    const onSent = (sent: number): void => {
      each[place] = (each[place] ?? 0) + 1;
      heard.add(performance.now() - sent);
    };
    sockets[place] = await open(place, (text) => eachSentAt(text, onSent));
  });
  const run = async (time: number): Promise<void> => {
    const writes: Promise<unknown>[] = [];
    await pace(perSecond, time, (number) => {
      const note = stampNow();
      const answer = write(number, note, sockets);
      if (answer) writes.push(answer.then(() => answered.add(performance.now() - Number(note))));
    });
    await Promise.all(writes);
    await until(() => heard.count() >= count * perSecond * time);
  };
  await run(warmUp);
  heard.clear();
  answered.clear();
  each.fill(0);
  const before = cpu();
  const begun = performance.now();
  await run(seconds);
  const lasted = performance.now() - begun;
  const after = cpu();
  for (const socket of sockets) socket.close();
  const expected = perSecond * seconds;
  const whole = each.every((events) => events === expected);
  const number = (items: number): string => items.toLocaleString("en-US");
  return {
    delivered: `${number(heard.count())} of ${number(expected * count)}${whole ? "" : ", NOT EACH ONCE"}`,
    heard,
    answered,
    cores: (name) => (after[name] - before[name]) / lasted,
  };
}
