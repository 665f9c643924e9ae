/** A program of `outbound.test.ts`: asks a server over TLS, with the certificates of its own environment. */
import { createOutbound, OutboundError } from "./outbound";

const [, , address = "", host = ""] = process.argv;
const ask = createOutbound({ loopback: false, privateHosts: [host] });
try {
  const answer = await ask(address);
  process.stdout.write(`${answer.status} ${await answer.text()}`);
} catch (error) {
  process.stdout.write(error instanceof OutboundError ? error.reason : String(error));
}
