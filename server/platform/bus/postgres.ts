/**
 * The way between instances over PostgreSQL's `NOTIFY`: what gathers while one transaction is on its way goes with the
 * next, in parts of less than 8,000 bytes, which arrive whole and in order because they are of one transaction.
 */
import { type DatabaseAddress, openNotices } from "../postgres";
import { keepTransport, type OpenTransport } from "./transport";

const channel = "baasix_bus";
/** Characters of a part, beside its head. */
const partLength = 7_900;

/** A transport over a database. */
export function postgresTransport(address: DatabaseAddress): OpenTransport {
  return (events) => {
    const cut = createCutter();
    return keepTransport(async (ended) => {
      const notices = await openNotices(address, channel, {
        onNotice: createJoiner(events.onText),
        onEnd: ended,
      });
      return { send: (texts) => notices.send(cut(texts)), close: notices.close };
    }, events);
  };
}

/** Cuts texts into parts: a head (name, batch, place, whether it is the last) and a piece of the texts, a line each. */
function createCutter(): (texts: readonly string[]) => string[] {
  /** Tells batches of several instances apart, and a batch from an equal one. */
  const name = crypto.randomUUID();
  let batches = 0;
  return (texts) => {
    const batch = `${name} ${(++batches).toString(36)}`;
    const whole = toAscii(texts.join("\n"));
    const count = Math.max(1, Math.ceil(whole.length / partLength));
    return Array.from({ length: count }, (_, index) => {
      const piece = whole.slice(index * partLength, (index + 1) * partLength);
      return `${batch} ${index} ${index === count - 1 ? 1 : 0} ${piece}`;
    });
  };
}

/** Characters of a batch whose last part has not come. */
const mostParts = 128 * 1024 * 1024;

/**
 * Joins the parts that one connection hears to texts again. Those of a batch come together, as one transaction sends them: one that
 * another batch follows is never finished, and what anybody says who may connect does not fill the memory.
 */
function createJoiner(onText: (text: string) => void): (payload: string) => void {
  let known = { batch: "", text: "", next: 0 };
  return (payload) => {
    const head = /^(\S+ \S+) (\d+) ([01]) /.exec(payload);
    if (!head) return;
    const [all, batch = "", index, last] = head;
    const place = Number(index);
    const isNext = batch === known.batch && place === known.next;
    const before = place > 0 && isNext ? known.text : "";
    known = { batch: "", text: "", next: 0 };
    if (place > 0 && !isNext) return; // its beginning was before we listened
    const text = before + payload.slice(all.length);
    if (last === "1") for (const line of text.split("\n")) onText(line);
    else if (text.length <= mostParts) known = { batch, text, next: place + 1 };
  };
}

/** JSON text in which every character is a byte: pieces can be cut anywhere, and their length is known. */
function toAscii(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
