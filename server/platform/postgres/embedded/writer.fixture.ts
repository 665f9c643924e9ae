/** A program for tests: starts the embedded server on a folder and inserts rows, telling each one after its commit. */
import { SQL } from "bun";
import { connectionOptions } from "../address";
import { startEmbedded } from "./start";

const [dir = "", programs = ""] = process.argv.slice(2);
const embedded = await startEmbedded({ dir, programs });
const sql = new SQL({ ...connectionOptions(embedded.address), max: 4 });
await sql`CREATE TABLE IF NOT EXISTS acknowledged (id uuid PRIMARY KEY)`;
process.stdout.write(`postmaster ${embedded.pid}\n`);
await Promise.all(
  Array.from({ length: 4 }, async () => {
    for (;;) {
      const id = crypto.randomUUID();
      await sql`INSERT INTO acknowledged VALUES (${id})`;
      process.stdout.write(`${id}\n`);
    }
  }),
);
