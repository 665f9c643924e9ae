import { describe, expect, test } from "bun:test";
import { type KeepBytes, readUploadForm } from "./multipart";

type Part = { readonly name: string; readonly fileName?: string; readonly content: string };

const boundary = "----between";
const encode = (text: string) => new TextEncoder().encode(text);

function formText(parts: readonly Part[]): string {
  const written = parts.map(({ name, fileName, content }) => {
    const file =
      fileName === undefined ? "" : `; filename="${fileName}"\r\nContent-Type: application/x-claimed`;
    return `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n${content}\r\n`;
  });
  return `${written.join("")}--${boundary}--\r\n`;
}

/** The body in chunks of `size` bytes. */
function requestOf(body: string, size = 7): Request {
  const bytes = encode(body);
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
      controller.close();
    },
  });
  return post(stream);
}

function post(
  body: ReadableStream<Uint8Array>,
  contentType = `multipart/form-data; boundary=${boundary}`,
): Request {
  return new Request("http://localhost/files", {
    method: "POST",
    headers: { "content-type": contentType },
    body,
  });
}

function collector(): {
  readonly keep: KeepBytes;
  readonly text: () => string;
  readonly ended: () => boolean;
} {
  const chunks: Uint8Array[] = [];
  let ended = false;
  return {
    keep: async (bytes) => {
      try {
        for await (const chunk of bytes) chunks.push(new Uint8Array(chunk));
      } finally {
        ended = true;
      }
      return chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
    },
    text: () => Buffer.concat(chunks).toString(),
    ended: () => ended,
  };
}

/** A form up to the middle of its file. */
const openFile = encode(
  `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf`,
);
const file: Part = { name: "file", fileName: "a.txt", content: "the bytes" };

describe("readUploadForm", () => {
  test("gives the texts and hands over the bytes, in either order and cut anywhere", async () => {
    for (const size of [1, 7, 1000])
      for (const parts of [
        [{ name: "title", content: "Ünder" }, file],
        [file, { name: "title", content: "Ünder" }],
      ]) {
        const kept = collector();
        const form = await readUploadForm(requestOf(formText(parts), size), 1e6, kept.keep);
        expect(Object.fromEntries(form.fields)).toEqual({ title: "Ünder" });
        expect(form.file).toEqual({ name: "a.txt", type: "application/x-claimed", size: 9 });
        expect(kept.text()).toBe("the bytes");
      }
  });

  test("an empty file is a file; a form without one is told by null", async () => {
    const empty = await readUploadForm(
      requestOf(formText([{ ...file, content: "" }])),
      1e6,
      collector().keep,
    );
    expect(empty.file).toEqual({ name: "a.txt", type: "application/x-claimed", size: 0 });
    const none = await readUploadForm(
      requestOf(formText([{ name: "file", content: "text" }])),
      1e6,
      collector().keep,
    );
    expect(none.file).toBeNull();
  });

  test("keeps names beyond ASCII and drops their folders", async () => {
    for (const [sent, name] of [
      ["Überblick €.txt", "Überblick €.txt"],
      ["C:\\temp\\a.txt", "a.txt"],
      ["../../etc/passwd", "passwd"],
    ] as const) {
      const form = await readUploadForm(
        requestOf(formText([{ ...file, fileName: sent }])),
        1e6,
        collector().keep,
      );
      expect(form.file?.name).toBe(name);
    }
  });

  const tooManyTexts = Array.from({ length: 30 }, (_, i) => ({ name: `f${i}`, content: "x" }));
  const refused: readonly [string, string, string][] = [
    ["a second file", formText([file, file]), "one file per request"],
    [
      "a file under another name",
      formText([{ ...file, name: "image" }]),
      "in the part 'file', not in 'image'",
    ],
    [
      "the same text twice",
      formText([
        { name: "a", content: "1" },
        { name: "a", content: "2" },
      ]),
      "sent twice",
    ],
    ["a text part that is too long", formText([{ name: "a", content: "x".repeat(70_000) }]), "may have"],
    ["too many parts", formText([...tooManyTexts, file]), "A form may have"],
    ["a body that ends inside the file", formText([file]).slice(0, -40), "malformed"],
    ["a body that ends inside a header", formText([file]).slice(0, 30), "malformed"],
    ["no body at all", "", "malformed"],
    ["something that is no form", "hello", "malformed"],
  ];
  test.each(refused)("refuses %s", async (_name, body, message) => {
    const kept = collector();
    await expect(readUploadForm(requestOf(body, 1000), 1e6, kept.keep)).rejects.toMatchObject({
      code: "BAD_REQUEST",
      message: expect.stringContaining(message),
    });
  });

  test.each([
    ["application/json", "UNSUPPORTED_MEDIA_TYPE"],
    ["application/x-www-form-urlencoded", "UNSUPPORTED_MEDIA_TYPE"],
    ["multipart/form-data", "BAD_REQUEST"],
    ["multipart/mixed; boundary=x", "UNSUPPORTED_MEDIA_TYPE"],
  ])("refuses the type %s", async (type, code) => {
    const body = new Blob(["{}"]).stream();
    await expect(readUploadForm(post(body, type), 1e6, collector().keep)).rejects.toMatchObject({ code });
  });

  test("when the keeper refuses, that is the answer and the rest is not read", async () => {
    let pulled = 0;
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(openFile),
      pull: (controller) => {
        pulled++;
        controller.enqueue(new Uint8Array(65_536));
      },
      cancel: () => {
        cancelled = true;
      },
    });
    const refuse: KeepBytes = async (bytes) => {
      let seen = 0;
      for await (const chunk of bytes) if ((seen += chunk.byteLength) > 300_000) throw new Error("enough");
      return seen;
    };
    await expect(readUploadForm(post(endless), 1e6, refuse)).rejects.toThrow("enough");
    expect(cancelled).toBe(true);
    expect(pulled).toBeLessThan(50);
  });

  test("an endless header is bounded too", async () => {
    const endless = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(openFile.slice(0, 40)),
      pull: (controller) => controller.enqueue(new Uint8Array(65_536).fill(97)),
    });
    await expect(readUploadForm(post(endless), 1e6, collector().keep)).rejects.toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
    });
  });

  test("when the sender goes away, the keeper ends before the answer", async () => {
    const kept = collector();
    const seen = Promise.withResolvers<void>();
    const outcome = Promise.withResolvers<unknown>();
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (request) => {
        const keep: KeepBytes = (bytes) => {
          seen.resolve();
          return kept.keep(bytes);
        };
        const error: unknown = await readUploadForm(request, 1e6, keep).catch((thrown: unknown) => thrown);
        outcome.resolve({ error, ended: kept.ended() });
        return new Response();
      },
    });
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: server.port ?? 0,
      socket: { data: () => {} },
    });
    const type = `Content-Type: multipart/form-data; boundary=${boundary}`;
    socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n${type}\r\n\r\n`);
    socket.write(openFile);
    await seen.promise;
    socket.terminate();
    expect(await outcome.promise).toMatchObject({ error: { code: "BAD_REQUEST" }, ended: true });
    await server.stop(true);
  });
});
