/** `/health`: is the process alive, may it be sent requests, and which part is not well. Needs no login and no query. */
import { Elysia } from "elysia";

export type HealthParts = {
  readonly version: string;
  /** The parts by name: `up`, `down`, or `off` where the part is not in use. A part that is `down` and not optional makes the server not ready. */
  readonly parts: () => Readonly<
    Record<string, { readonly state: "up" | "down" | "off"; readonly required: boolean }>
  >;
  /** False from the moment that the server is asked to stop. */
  readonly accepting: () => boolean;
};

const tags = ["Server"];

/** The health routes: 200 when ready, else 503. `/health/live` answers 200 as long as the process does. */
export function healthRoutes(health: HealthParts) {
  const answer = (): Response => {
    const parts = health.parts();
    const ready =
      health.accepting() && Object.values(parts).every((part) => !part.required || part.state === "up");
    const states = Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part.state]));
    const body = {
      status: ready ? "ok" : "unavailable",
      live: true,
      ready,
      version: health.version,
      parts: states,
    };
    return Response.json(body, { status: ready ? 200 : 503, headers: { "cache-control": "no-store" } });
  };
  return new Elysia({ name: "health" })
    .get("/health", () => answer(), { detail: { tags, summary: "Health of the server and its parts" } })
    .get("/health/ready", () => answer(), { detail: { tags, summary: "May the server be sent requests?" } })
    .get("/health/live", () => Response.json({ live: true }, { headers: { "cache-control": "no-store" } }), {
      detail: { tags, summary: "Does the process answer?" },
    });
}
