/** Requests to the outside against real servers on the loopback address. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { localCertificate, localKey } from "../../testing/mail-server";
import { temporaryDirectory } from "../../testing/postgres";
import { mayReach } from "./address";
import { createOutbound, OutboundError, type OutboundRequest } from "./outbound";

let server: Bun.Server<undefined>;
const seen: { method: string; path: string; headers: Headers; body: string }[] = [];
const local = createOutbound({ loopback: true, privateHosts: [] });

beforeAll(() => {
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const { pathname, searchParams } = new URL(request.url);
      seen.push({
        method: request.method,
        path: pathname,
        headers: request.headers,
        body: await request.text(),
      });
      if (pathname === "/hop") {
        const left = Number(searchParams.get("left"));
        const status = Number(searchParams.get("status") ?? 302);
        const to = searchParams.get("to") ?? (left > 0 ? `/hop?left=${left - 1}` : "/end");
        return new Response(null, { status, headers: { location: to } });
      }
      if (pathname === "/large") return new Response(new Uint8Array(2_000));
      if (pathname === "/never") return new Promise<Response>(() => {});
      if (pathname === "/stalls")
        return new Response(new ReadableStream({ start: (control) => control.enqueue(new Uint8Array(10)) }));
      if (pathname === "/empty") return new Response(null, { status: 204 });
      return new Response("the end", {
        status: 201,
        headers: [
          ["x-a", "1"],
          ["set-cookie", "a=1"],
          ["set-cookie", "b=2"],
        ],
      });
    },
  });
});
afterAll(() => server.stop(true));

async function reasonOf(address: string, request?: OutboundRequest, ask = local): Promise<string> {
  try {
    return String((await ask(address, request)).status);
  } catch (error) {
    if (error instanceof OutboundError) return error.reason;
    throw error;
  }
}
const at = (path: string): string => new URL(path, server.url).href.replace("localhost", "127.0.0.1");

test("an answer comes whole, with its status and headers", async () => {
  const answer = await local(at("/x"), { method: "POST", body: "hello", headers: { "x-sent": "yes" } });
  expect([answer.status, await answer.text(), answer.headers.get("x-a")]).toEqual([201, "the end", "1"]);
  expect(answer.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  expect(seen.at(-1)).toMatchObject({ method: "POST", path: "/x", body: "hello" });
  expect(seen.at(-1)?.headers.get("x-sent")).toBe("yes");
  expect((await local(at("/empty"))).status).toBe(204);
});

test.each<[why: string, path: string, request: OutboundRequest, result: string]>([
  ["three redirects are followed", "/hop?left=2", {}, "201"],
  ["a fourth is not", "/hop?left=3", {}, "redirects"],
  ["none where none is wanted", "/hop?left=0", { redirects: 0 }, "302"],
  ["more cannot be asked for", "/hop?left=5", { redirects: 9 }, "redirects"],
  ["no redirect to a private address", "/hop?to=http://10.0.0.1/", {}, "refused"],
  ["nor to the metadata of a cloud", "/hop?to=https://169.254.169.254/latest", {}, "refused"],
  ["nor to plain http outside", "/hop?to=http://example.com/", {}, "refused"],
  ["nor to another scheme", "/hop?to=file:///etc/passwd", {}, "refused"],
  ["nor to an address with credentials", "/hop?to=http://a:b@127.0.0.1/", {}, "refused"],
  ["an answer within its bytes", "/large", { maxBytes: 2_000 }, "200"],
  ["and one beyond", "/large", { maxBytes: 1_999 }, "too-large"],
  ["no answer in time", "/never", { timeout: 100 }, "timeout"],
  ["an answer that stops half-way", "/stalls", { timeout: 100 }, "timeout"],
])("%s", async (_why, path, request, result) => {
  expect(await reasonOf(at(path), request)).toBe(result);
});

test("a redirect carries a body and credentials no further than they were meant for", async () => {
  const headers = { authorization: "Bearer secret", cookie: "a=1", accept: "x/y" };
  await local(at("/hop?left=0&status=307"), { method: "POST", body: "once", headers });
  expect(seen.at(-1)).toMatchObject({ method: "POST", body: "once" });
  expect(seen.at(-1)?.headers.get("authorization")).toBe("Bearer secret");
  const elsewhere = encodeURIComponent(at("/end").replace("127.0.0.1", "127.0.0.2"));
  expect(
    await reasonOf(at(`/hop?status=307&to=${elsewhere}`), { method: "POST", body: "once", headers }),
  ).toBe("network");
  const again = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      seen.push({
        method: request.method,
        path: "other",
        headers: request.headers,
        body: await request.text(),
      });
      return new Response();
    },
  });
  try {
    const other = encodeURIComponent(`http://127.0.0.1:${again.port}/`);
    await local(at(`/hop?status=307&to=${other}`), { method: "POST", body: "once", headers });
    expect(seen.at(-1)).toMatchObject({ method: "GET", path: "other", body: "" });
    expect(seen.at(-1)?.headers.get("authorization")).toBeNull();
    expect(seen.at(-1)?.headers.get("cookie")).toBeNull();
    expect(seen.at(-1)?.headers.get("accept")).toBe("x/y");
  } finally {
    await again.stop(true);
  }
});

test.each([
  ["http://127.0.0.1/", "this machine, where it is not allowed"],
  ["https://127.0.0.1/", "also over https"],
  ["https://localhost/", "by name, which is looked up"],
  ["https://2130706433/", "as a number"],
  ["https://0x7f.1/", "in parts"],
  ["https://[::1]/", "as IPv6"],
  ["https://[::ffff:127.0.0.1]/", "as mapped IPv6"],
  ["https://[::ffff:10.0.0.1]/", "a private one, mapped"],
  ["https://0.0.0.0/", "no address in particular"],
  ["https://192.168.1.1/", "a private network"],
  ["https://169.254.169.254/", "link-local"],
  ["http://example.com/", "plain http"],
])("%s is refused: %s", async (address) => {
  const strict = createOutbound({ loopback: false, privateHosts: [] });
  expect(await reasonOf(address, {}, strict)).toBe("refused");
});

test("a host that the operator lists may be on this machine, over https", async () => {
  const listed = createOutbound({ loopback: false, privateHosts: ["localhost"] });
  expect(await reasonOf(`https://localhost:${server.port}/`, {}, listed)).toBe("network");
  expect(await reasonOf(`http://localhost:${server.port}/`, {}, listed)).toBe("refused");
});

test("a server is believed for its certificate alone, and for no other name", async () => {
  const file = join(temporaryDirectory(), "certificate.pem");
  writeFileSync(file, localCertificate);
  const serve = async (address: string) => {
    const secure = createServer({ key: localKey, cert: localCertificate }, (_, answer) =>
      answer.end("over TLS"),
    );
    await new Promise<void>((done) => secure.listen(0, address, done));
    return { secure, port: (secure.address() as AddressInfo).port };
  };
  const [named, unnamed] = [await serve("127.0.0.1"), await serve("127.0.0.2")];
  const ask = async (host: string, port: number, env: Record<string, string>): Promise<string> => {
    const command = [
      process.execPath,
      join(import.meta.dir, "tls-case.ts"),
      `https://${host}:${port}/`,
      host,
    ];
    const program = Bun.spawn(command, {
      env: { ...process.env, ...env },
      stdout: "pipe",
      stderr: "inherit",
    });
    return (await new Response(program.stdout).text()).trim();
  };
  const trusted = { NODE_EXTRA_CA_CERTS: file };
  const answers = await Promise.all([
    ask("localhost", named.port, trusted),
    ask("localhost", named.port, {}),
    ask("127.0.0.2", unnamed.port, trusted),
  ]);
  expect(answers).toEqual(["200 over TLS", "network", "network"]);
  named.secure.close();
  unnamed.secure.close();
});

describe("addresses", () => {
  const nothing = { loopback: false, private: false };
  test.each([
    ["8.8.8.8", true],
    ["2001:4860:4860::8888", true],
    ["10.1.2.3", false],
    ["100.64.0.1", false],
    ["172.16.0.1", false],
    ["fd00::1", false],
    ["fe80::1", false],
    ["64:ff9b::a00:1", false],
    ["2002:a00:1::", false],
    ["224.0.0.1", false],
    ["not an address", false],
  ])("%s: %s", (address, reached) => expect(mayReach(address, nothing)).toBe(reached));

  test.each([
    ["10.1.2.3", true],
    ["fd00::1", true],
    ["127.0.0.1", true],
    ["169.254.169.254", false],
    ["fe80::1", false],
    ["0.0.0.0", false],
  ])("%s with private networks: %s", (address, reached) =>
    expect(mayReach(address, { loopback: false, private: true })).toBe(reached),
  );
});
