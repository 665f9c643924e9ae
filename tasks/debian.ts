/** System packages that the tests need beyond the registry's, where they are missing and we may install them. */
import { existsSync } from "node:fs";
import { run } from "./steps";

/** A file that tells that a package is there, and the package. */
const needed: readonly { readonly file: string; readonly package: string; readonly why: string }[] = [
  {
    file: "/usr/lib/postgresql/15/bin/postgres",
    package: "postgresql-15",
    why: "DATABASE_URL is tested against a server that is not ours",
  },
  {
    file: "/usr/share/postgresql/15/extension/postgis.control",
    package: "postgresql-15-postgis-3",
    why: "fields of places and their filters are tested with PostGIS",
  },
  {
    file: "/usr/bin/redis-server",
    package: "redis-server",
    why: "REDIS_URL is tested against a server of its own",
  },
];

/** Installs what is missing when we are root on Debian; elsewhere says what to install. Gives the exit code. */
export async function installDebianPackages(): Promise<number> {
  const missing = needed.filter(({ file }) => !existsSync(file));
  if (missing.length === 0) return 0;
  const names = missing.map((entry) => entry.package);
  if (process.getuid?.() !== 0 || !Bun.which("apt-get")) {
    for (const entry of missing) console.log(`Please install ${entry.package}: ${entry.why}`);
    return 0;
  }
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await run(["apt-get", "update", "-q"], env);
  return await run(["apt-get", "install", "-y", "-q", "--no-install-recommends", ...names], env);
}
