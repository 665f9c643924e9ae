/** Runs `wrk` with a list of prepared requests and reads its figures. wrk is a Debian package (`apt-get install wrk`). */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A request of a workload. All of one run share their headers. */
export type PreparedRequest = { readonly method: string; readonly path: string; readonly body?: string };

export type Load = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly requests: readonly PreparedRequest[];
  readonly connections: number;
  readonly seconds: number;
};

/** Figures of one run. Latencies in ms. `errors`: answers other than 2xx, and sockets that failed. */
export type Figures = {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly errors: number;
};

/** wrk reports through a script of ours: numbers in one line, and not its table for people. */
const report = `
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("FIGURES %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end`;

/** Sends the requests in turn, each connection from its own place in the list, for the given time. */
export async function runWrk({ url, headers, requests, connections, seconds }: Load): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), "baasix-bench-"));
  try {
    const lines = requests.map(({ method, path, body }) => `${method}\t${path}\t${body ?? ""}`);
    await Bun.write(join(folder, "requests"), `${lines.join("\n")}\n`);
    await Bun.write(join(folder, "script.lua"), script(join(folder, "requests"), headers));
    const threads = Math.min(2, connections);
    const child = Bun.spawn(
      [
        "wrk",
        `-t${threads}`,
        `-c${connections}`,
        `-d${seconds}s`,
        "--timeout",
        "30s",
        "-s",
        join(folder, "script.lua"),
        url,
      ],
      { stdout: "pipe", stderr: "inherit" },
    );
    const said = await new Response(child.stdout).text();
    const found = /^FIGURES (\d+) (\d+) (\d+) (\d+) (\d+)$/m.exec(said);
    if (!found) throw new Error(`wrk said nothing that can be read:\n${said}`);
    const [count = 0, micros = 1, p50 = 0, p99 = 0, errors = 0] = found.slice(1).map(Number);
    return { requests: count, perSecond: (count * 1e6) / micros, p50: p50 / 1000, p99: p99 / 1000, errors };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Each thread formats every request once, before the clock runs, and starts at its own place. */
function script(file: string, headers: Readonly<Record<string, string>>): string {
  const table = Object.entries(headers).map(
    ([name, value]) => `[${JSON.stringify(name)}]=${JSON.stringify(value)}`,
  );
  return `
local headers = { ${table.join(", ")} }
local requests, place = {}, 0
local threads = 0
function setup(thread) thread:set("number", threads); threads = threads + 1 end
function init()
  for line in io.lines(${JSON.stringify(file)}) do
    local method, path, body = line:match("^(.-)\\t(.-)\\t(.*)$")
    requests[#requests + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
  end
  place = math.floor(#requests / 2) * number
end
function request()
  place = place % #requests + 1
  return requests[place]
end
${report}`;
}
