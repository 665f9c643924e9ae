import { expect, test } from "bun:test";
import { addressKey, createClientAddress } from "./address";

const request = (forwarded?: string) =>
  new Request(
    "http://localhost/",
    forwarded === undefined ? {} : { headers: { "x-forwarded-for": forwarded } },
  );
const from = (address: string) => ({ requestIP: () => ({ address }) });

const cases: readonly (readonly [string, readonly string[], string, string | undefined, string])[] = [
  ["ignores the header without a proxy", [], "203.0.113.9", "198.51.100.1", "203.0.113.9"],
  [
    "ignores the header of a peer that is no proxy",
    ["10.0.0.0/8"],
    "203.0.113.9",
    "198.51.100.1",
    "203.0.113.9",
  ],
  ["takes the hop a proxy saw", ["10.0.0.0/8"], "10.1.2.3", "198.51.100.1", "198.51.100.1"],
  ["skips proxies behind proxies", ["10.0.0.0/8"], "10.1.2.3", "198.51.100.1, 10.9.9.9", "198.51.100.1"],
  [
    "does not believe what stands left of the nearest hop",
    ["10.0.0.1"],
    "10.0.0.1",
    "1.1.1.1, 198.51.100.1",
    "198.51.100.1",
  ],
  ["stops at a hop it cannot read", ["10.0.0.1"], "10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"],
  ["reads ports and brackets", ["::1"], "::1", "[2001:db8::7]:4711", "2001:db8::7"],
  ["falls back to the proxy itself", ["10.0.0.1"], "10.0.0.1", undefined, "10.0.0.1"],
];

test.each(cases)("%s", (_, TRUST_PROXY, peer, forwarded, expected) => {
  expect(createClientAddress({ TRUST_PROXY })(request(forwarded), from(peer))).toBe(expected);
});

test("takes a request without a socket as loopback", () => {
  expect(createClientAddress({ TRUST_PROXY: [] })(request(), null)).toBe("127.0.0.1");
});

test.each(["localhost", "10.0.0.0/33", "10.0.0.0/x", "300.1.1.1", "10.0.0.0/"])(
  "refuses the proxy '%s'",
  (entry) => {
    expect(() => createClientAddress({ TRUST_PROXY: [entry] })).toThrow("TRUST_PROXY");
  },
);

const keys: readonly (readonly [string, string])[] = [
  ["203.0.113.9", "203.0.113.9"],
  ["::ffff:203.0.113.9", "203.0.113.9"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:0db8:0001:0002::9", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
];

test.each(keys)("counts %s as %s", (address, key) => {
  expect(addressKey(address)).toBe(key);
});
