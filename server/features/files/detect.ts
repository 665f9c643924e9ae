/** What type a file has, found from its first bytes. The name only tells texts apart; the client's claim counts nothing. */

/** How many bytes from the start are looked at. */
export const detectedBytes = 64 * 1024;

const unknownType = "application/octet-stream";

/** Texts that no byte tells apart. None of them can run in a browser. */
const textTypes: ReadonlyMap<string, string> = new Map([
  ["csv", "text/csv"],
  ["ics", "text/calendar"],
  ["json", "application/json"],
  ["md", "text/markdown"],
  ["tsv", "text/tab-separated-values"],
  ["vtt", "text/vtt"],
]);

/**
 * The media type of a file from its start (at most `detectedBytes`) and its name.
 * Bytes that are neither known nor text are `application/octet-stream`.
 */
export async function detectType(start: Uint8Array, name: string): Promise<string> {
  const found = await knownType(start);
  if (found !== null && found !== "application/xml") return found;
  const text = readText(start);
  if (text === null) return found ?? unknownType;
  if (isSvg(text)) return "image/svg+xml";
  if (/^\s*<(?:!doctype\s+html|html|head|body|script)[\s>]/i.test(text)) return "text/html";
  return found ?? textTypes.get(extension(name)) ?? "text/plain";
}

async function knownType(start: Uint8Array): Promise<string | null> {
  // Loaded with the first file: it would take a twentieth of a start.
  const { fileTypeFromBuffer } = await import("file-type");
  try {
    return (await fileTypeFromBuffer(start))?.mime ?? null;
  } catch {
    // A format that starts well and goes on badly, or is longer than the start: no more is known.
    return null;
  }
}

/** The text, or null when the bytes are not UTF-8 or hold control characters. */
function readText(start: Uint8Array): string | null {
  try {
    // `stream`: the end may have been cut inside a character.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(start, { stream: true });
    // oxlint-disable-next-line no-control-regex -- control characters are what tells other bytes from text
    return /[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/.test(text) ? null : text;
  } catch {
    return null;
  }
}

/** Whether the first element is `svg`: skips a declaration, comments and a document type. */
function isSvg(text: string): boolean {
  let rest = text.slice(0, 4096).trimStart();
  while (rest.startsWith("<?") || rest.startsWith("<!")) {
    const end = rest.startsWith("<!--") ? rest.indexOf("-->") : rest.indexOf(">");
    if (end === -1) return false;
    rest = rest.slice(rest.indexOf(">", end) + 1).trimStart();
  }
  return /^<svg[\s>/]/i.test(rest);
}

function extension(name: string): string {
  const dot = name.lastIndexOf(".");
  return dot === -1 ? "" : name.slice(dot + 1).toLowerCase();
}
