/** The loader against a real server, and every figure over the API beside the same figure from the files. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { patientClient } from "../account";
import { readFiles } from "../data";
import { load } from "../load";
import { viewerMiles } from "../schema";
import { verify } from "../verify";
import { startServer, type TestServer } from "./server";

// For a busy machine; what is set in the preload holds for the first file alone.
setDefaultTimeout(60_000);

const password = "flights-for-everyone";
const files = await readFiles();
let server: TestServer;

async function run(): Promise<readonly string[]> {
  const lines: string[] = [];
  await load(server.admin, files, { password, report: (line) => lines.push(line) });
  return lines;
}

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.stop());

describe("the loader", () => {
  test("fills an empty server", async () => {
    expect(await run()).toEqual([
      "made the collection airports",
      "made the collection flights",
      "made the collection measurements",
      "made the relation flights.origin",
      "made the relation flights.destination",
      "created 3376 airports",
      "created 20000 flights",
      "created 200000 measurements",
      "viewer may read airports",
      "viewer may read flights",
      `made the account viewer@example.com with the password ${password}`,
      "dispatcher may read airports",
      "dispatcher may read flights",
      "dispatcher may create flights",
      `made the account dispatcher@example.com with the password ${password}`,
    ]);
  });

  test("creates what is missing, and nothing else, when it runs again", async () => {
    const flights = server.admin.items("flights");
    const { data } = await flights.find({ fields: ["id"], filter: { sourceRow: { in: [1, 777, 20_000] } } });
    await flights.deleteMany(data.map(({ id }) => id));
    expect(await run()).toEqual(["created 0 airports", "created 3 flights", "created 0 measurements"]);
    expect(await run()).toEqual(["created 0 airports", "created 0 flights", "created 0 measurements"]);
  });
});

describe("what the API answers", () => {
  test("is what the files hold: counts, sums, filtered and sorted lists, related rows", async () => {
    const comparisons = await verify(server.admin, files);
    expect(comparisons.length).toBeGreaterThan(15);
    for (const { actual, expected } of comparisons) expect(actual).toEqual(expected);
  });

  test("is for a viewer only what its row condition and fields allow", async () => {
    const viewer = patientClient(server.url);
    await viewer.auth.login({ email: "viewer@example.com", password });
    const far = files.flights.filter(({ distance }) => distance >= viewerMiles);
    const { data, totalCount } = await viewer
      .items("flights")
      .find({ fields: ["*", "origin.city"], sort: ["distance", "date", "id"], limit: 5 });
    expect(totalCount).toBe(far.length);
    const allowed = ["date", "delay", "destination_Id", "distance", "id", "origin", "origin_Id"];
    for (const flight of data) expect(Object.keys(flight).toSorted()).toEqual(allowed);
    expect(data.map(({ distance }) => distance)).toEqual(
      far
        .map(({ distance }) => distance)
        .toSorted((a, b) => a - b)
        .slice(0, 5),
    );
    for (const query of [
      { fields: ["remarks"] },
      { filter: { sourceRow: 1 } },
      { sort: "sourceRow" },
      { filter: { origin: { departures: { remarks: { isNull: true } } } } },
    ] as const) {
      await expect(viewer.items("flights").find(query)).rejects.toMatchObject({ code: "FORBIDDEN" });
    }
    await expect(viewer.items("measurements").find()).rejects.toMatchObject({ code: "FORBIDDEN" });
    viewer.close();
  });
});

test("baasix.d.ts is what `baasix generate` writes for these collections", async () => {
  const output = join(import.meta.dir, "../baasix.d.ts");
  const { BAASIX_EXECUTABLE } = process.env;
  const main = join(import.meta.dir, "../../../cli/main.ts");
  const command = BAASIX_EXECUTABLE ? [BAASIX_EXECUTABLE] : [process.execPath, "--no-env-file", main];
  const child = Bun.spawn([...command, "generate", "--check", "-o", output, "--url", server.url], {
    env: { BAASIX_EMAIL: server.account.email, BAASIX_PASSWORD: server.account.password },
    stdout: "pipe",
    stderr: "pipe",
  });
  expect(await new Response(child.stderr).text()).toBe("");
  expect(await child.exited).toBe(0);
  expect(readFileSync(output, "utf8")).toContain("BaasixCollections");
});
