/**
 * The clients that `stalled.ts` stops: sockets that watch a collection, in a process of their own. Prints `ready`; from then on the
 * process is stopped from outside, so that its sockets stay open and nobody reads them. Arguments: address, sockets, tokens.
 */
import { inGroups, listen, socketsPerAccount, subscribeTo } from "./listeners";

const [url = "", count = "0", ...tokens] = process.argv.slice(2);
await inGroups(Number(count), 10, async (place) => {
  await listen(url, tokens[Math.floor(place / socketsPerAccount)] ?? null, subscribeTo("pages"), () => {});
});
console.log("ready");
