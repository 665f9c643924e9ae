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
  const isProxy = createAddressList(config.TRUST_PROXY, "TRUST_PROXY");
  return (request, server) => {
    const address = peer(request, server);
    if (!isProxy(address)) return address;
    return nearestUntrusted(isProxy, address, request.headers.get("x-forwarded-for"));
  };
}

/**
 * Compiles addresses and CIDR ranges into a question. `::ffff:a.b.c.d` is the IPv4 address that it stands for.
 * @throws AppError BAD_REQUEST that begins with `name` when an entry is no address and no range.
 */
export function createAddressList(entries: readonly string[], name: string): (address: string) => boolean {
  const list = new BlockList();
  for (const entry of entries) addEntry(list, entry, name);
  return (address) => {
    const plain = mapped(address) ?? address;
    const version = isIP(plain);
    return version !== 0 && list.check(plain, version === 4 ? "ipv4" : "ipv6");
  };
}

function mapped(address: string): string | null {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? null;
}

/**
 * The key by which an address is counted: IPv4 as it is, IPv6 by its /64, which is what one subscriber usually holds.
 * `::ffff:a.b.c.d` counts as IPv4.
 */
export function addressKey(address: string): string {
  if (!address.includes(":")) return address;
  const ipv4 = mapped(address);
  if (ipv4 !== null) return ipv4;
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

function addEntry(list: BlockList, entry: string, name: string): void {
  const [address = "", prefix] = entry.split("/");
  const version = isIP(address);
  const bits = prefix === undefined ? null : Number(prefix);
  const usable =
    version !== 0 &&
    (bits === null || (/^\d{1,3}$/.test(prefix ?? "") && bits <= (version === 4 ? 32 : 128)));
  if (!usable) throw new AppError("BAD_REQUEST", `${name}: '${entry}' is no address and no CIDR range`);
  const family = version === 4 ? "ipv4" : "ipv6";
  if (bits === null) list.addAddress(address, family);
  else list.addSubnet(address, bits, family);
}

function nearestUntrusted(
  isProxy: (address: string) => boolean,
  peerAddress: string,
  forwarded: string | null,
): string {
  let nearest = peerAddress;
  for (const hop of (forwarded ?? "").split(",").reverse()) {
    const address = hopAddress(hop);
    // What stands left of an unreadable hop cannot be trusted either.
    if (address === null) return nearest;
    nearest = address;
    if (!isProxy(address)) return nearest;
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
