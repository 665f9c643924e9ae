/** Whose request it is, by network address: the socket's peer, or what a configured proxy says about it. */
import { BlockList, isIP } from "node:net";
import { AppError } from "../core/errors";

/** The part of a Bun server that knows the peer of a request. Null: no socket (`app.handle`), taken as loopback. */
export type PeerSource = {
  readonly requestIP: (request: Request) => { readonly address: string } | null;
} | null;

/** Gives the client's address as text, IPv4 or IPv6. */
export type ClientAddress = (request: Request, server: PeerSource) => string;

const loopback = "127.0.0.1";

/**
 * Makes the reader of client addresses. `TRUST_PROXY` lists proxies by address or CIDR range; when the peer is one
 * of them, the client is the nearest hop of `X-Forwarded-For`, from the right, that is not. Without it the header
 * is ignored, since anyone may send it.
 * @throws AppError BAD_REQUEST when an entry is no address and no range.
 */
export function createClientAddress(config: { readonly TRUST_PROXY: readonly string[] }): ClientAddress {
  if (config.TRUST_PROXY.length === 0) return peer;
  const proxies = new BlockList();
  for (const entry of config.TRUST_PROXY) addProxy(proxies, entry);
  return (request, server) => {
    const address = peer(request, server);
    if (!isListed(proxies, address)) return address;
    return nearestUntrusted(proxies, address, request.headers.get("x-forwarded-for"));
  };
}

/**
 * The key by which an address is counted: IPv4 as it is, IPv6 by its /64, which is what one subscriber usually holds.
 * `::ffff:a.b.c.d` counts as IPv4.
 */
export function addressKey(address: string): string {
  if (!address.includes(":")) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1]) return mapped[1];
  const [head = "", tail] = (address.split("%")[0] ?? "").split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const gap = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array.from({ length: gap }, () => "0"), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}

function peer(request: Request, server: PeerSource): string {
  return server?.requestIP(request)?.address ?? loopback;
}

function addProxy(proxies: BlockList, entry: string): void {
  const [address = "", prefix] = entry.split("/");
  const version = isIP(address);
  const bits = prefix === undefined ? null : Number(prefix);
  const usable =
    version !== 0 &&
    (bits === null || (/^\d{1,3}$/.test(prefix ?? "") && bits <= (version === 4 ? 32 : 128)));
  if (!usable) throw new AppError("BAD_REQUEST", `TRUST_PROXY: '${entry}' is no address and no CIDR range`);
  const family = version === 4 ? "ipv4" : "ipv6";
  if (bits === null) proxies.addAddress(address, family);
  else proxies.addSubnet(address, bits, family);
}

function isListed(proxies: BlockList, address: string): boolean {
  const version = isIP(address);
  return version !== 0 && proxies.check(address, version === 4 ? "ipv4" : "ipv6");
}

function nearestUntrusted(proxies: BlockList, peerAddress: string, forwarded: string | null): string {
  let nearest = peerAddress;
  for (const hop of (forwarded ?? "").split(",").reverse()) {
    const address = hopAddress(hop);
    // What stands left of an unreadable hop cannot be trusted either.
    if (address === null) return nearest;
    nearest = address;
    if (!isListed(proxies, address)) return nearest;
  }
  return nearest;
}

/** An entry of `X-Forwarded-For`: an address, perhaps with brackets or a port. */
function hopAddress(hop: string): string | null {
  const text = hop.trim();
  const bare =
    /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(text)?.[1] ?? text;
  return isIP(bare) === 0 ? null : bare;
}
