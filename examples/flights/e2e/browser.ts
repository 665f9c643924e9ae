/** A headless browser for tests, without anything from outside the registry's packages. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";

/** A running browser. `close` ends it and deletes what it was unpacked to. */
export type TestBrowser = { readonly browser: Browser; readonly close: () => Promise<void> };

/** Names under which a browser may be installed, where the package carries none for this machine. */
const installed = ["chromium", "google-chrome", "google-chrome-stable", "chrome", "chromium-browser"];

/**
 * Starts Chromium: on Linux x64 the one inside `@sparticuz/chromium`, with the libraries and fonts that it brings
 * along, elsewhere (or when BROWSER_EXECUTABLE names one) an installed one.
 * @throws Error that says what would work when there is none.
 */
export async function startBrowser(): Promise<TestBrowser> {
  const given = process.env.BROWSER_EXECUTABLE;
  if (given === undefined && process.platform === "linux" && process.arch === "x64") return startCarried();
  const executablePath = given ?? installed.map((name) => Bun.which(name)).find((path) => path !== null);
  if (!executablePath) {
    throw new Error(
      "no browser for this machine: install Chrome or Chromium, or name one in BROWSER_EXECUTABLE",
    );
  }
  const browser = await chromium.launch({ executablePath });
  return { browser, close: () => browser.close() };
}

async function startCarried(): Promise<TestBrowser> {
  sweep();
  const folder = mkdtempSync(join(tmpdir(), `baasix-browser-${process.pid}-`));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const browser = await chromium.launch({
      executablePath: unpack(folder),
      // Tests run as root in containers, where Chromium's own sandbox cannot be set up.
      args: ["--no-sandbox"],
      env: {
        ...process.env,
        HOME: folder,
        LD_LIBRARY_PATH: join(folder, "al2023/lib"),
        FONTCONFIG_FILE: describeFonts(folder),
      },
    });
    return { browser, close: () => browser.close().finally(remove) };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Deletes what test processes left that were killed: it is large. */
function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = /^baasix-browser-(\d+)-/.exec(name)?.[1];
    if (pid && !existsSync(`/proc/${pid}`)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

/** The package's own description of its fonts points to places outside the folder. */
function describeFonts(folder: string): string {
  const file = join(folder, "fonts.conf");
  const directories = [join(folder, "fonts"), "/usr/share/fonts"]
    .map((path) => `<dir>${path}</dir>`)
    .join("");
  writeFileSync(
    file,
    `<?xml version="1.0"?><fontconfig>${directories}<cachedir>${join(folder, "cache")}</cachedir></fontconfig>`,
  );
  return file;
}

/**
 * Unpacks the browser into the folder and gives its path. In a process of its own: the package unpacks to the temporary
 * directory of its environment, and its libraries only where it finds itself on Amazon's machines.
 */
function unpack(folder: string): string {
  const code = `import chromium from "@sparticuz/chromium"; console.log(await chromium.executablePath());`;
  const { stdout, stderr, success } = Bun.spawnSync([process.execPath, "-e", code], {
    cwd: import.meta.dir,
    env: { ...process.env, TMPDIR: folder, AWS_EXECUTION_ENV: "AWS_Lambda_nodejs22.x" },
  });
  if (!success) throw new Error(`the browser could not be unpacked: ${stderr.toString()}`);
  return stdout.toString().trim();
}
