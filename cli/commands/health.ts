/** `baasix health`: asks a running server how it is; for people and for container health checks. */
import { type Command, CommandError, printResult } from "../command";
import { type Health, connection } from "../api";

export const health: Command = {
  name: "health",
  summary: "ask a running server whether it is live and ready",
  options: [
    {
      flags: "--url <url>",
      description: "address of the server (BAASIX_URL; default http://localhost:8056)",
    },
    { flags: "--json", description: "print one JSON document" },
  ],
  examples: ["baasix health", "baasix health --url https://api.example.com --json"],
  run: async (invocation) => {
    const { url, request } = connection(invocation);
    const { status, body } = await request("/health");
    if (status !== 200 && status !== 503)
      throw new CommandError(`${url}/health answered ${status}; is this a Baasix server?`);
    const { live, ready, parts } = body as Health;
    const lines = Object.entries(parts ?? {}).map(([part, state]) => `  ${part}: ${describe(state)}`);
    printResult(invocation, { url, live, ready, parts }, [
      `${url} is ${ready ? "ready" : "not ready"}`,
      ...lines,
    ]);
    return ready ? 0 : 1;
  },
};

function describe(state: unknown): string {
  return typeof state === "string" ? state : JSON.stringify(state);
}
