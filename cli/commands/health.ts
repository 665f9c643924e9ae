/** `baasix health`: asks a running server how it is; for people and for container health checks. */
import { fetchHealth, serverUrl } from "../api";
import { type Command, printResult } from "../command";

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
    const url = serverUrl(invocation);
    const { live, ready, parts } = await fetchHealth(url);
    const lines = Object.entries(parts).map(([part, state]) => `  ${part}: ${state}`);
    printResult(invocation, { url, live, ready, parts }, [
      `${url} is ${ready ? "ready" : "not ready"}`,
      ...lines,
    ]);
    return ready ? 0 : 1;
  },
};
