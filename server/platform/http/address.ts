/** Which network addresses the server may connect to when somebody else names the host. */
import ipaddr from "ipaddr.js";

/** What is open beside public addresses. `loopback`: this machine; `private`: the networks that have no route outside. */
export type Reach = { readonly loopback: boolean; readonly private: boolean };

const privateRanges: ReadonlySet<string> = new Set(["private", "uniqueLocal", "carrierGradeNat"]);

/**
 * True for an address (as text, IPv4 or IPv6) that may be connected to. Link-local ones, where clouds keep their metadata,
 * and those that stand for others (6to4, Teredo, NAT64) never are. `::ffff:a.b.c.d` is the IPv4 address that it stands for.
 */
export function mayReach(address: string, reach: Reach): boolean {
  try {
    const range = ipaddr.process(address).range();
    if (range === "unicast") return true;
    if (range === "loopback") return reach.loopback || reach.private;
    return reach.private && privateRanges.has(range);
  } catch {
    return false;
  }
}

/** The address that a host of a URL is, without the brackets of IPv6; null when it is a name. */
export function literalAddress(host: string): string | null {
  const text = host.replace(/^\[(.*)\]$/, "$1");
  try {
    return ipaddr.parse(text).toString();
  } catch {
    return null;
  }
}

/** True for a host that can only be this machine. */
export function isLoopbackHost(host: string): boolean {
  const address = literalAddress(host);
  if (address !== null) return ipaddr.process(address).range() === "loopback";
  return host === "localhost" || host.endsWith(".localhost");
}
