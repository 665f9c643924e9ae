/** Storage in a folder of the file system. Only this process's user may enter the folder; links in it are not followed. */
import { constants } from "node:fs";
import {
  chmod,
  type FileHandle,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  unlink,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError } from "../../core/errors";
import {
  type ByteSource,
  keySegments,
  limited,
  type Storage,
  type StoredEntry,
  type StoredFile,
} from "./storage";

/** Keys never start with a dot, so no key reaches this folder. */
const incomingFolder = ".incoming";
/** Longer than any upload can take: what is older was left by a process that died. */
const abandonedAfter = 24 * 60 * 60 * 1000;

/**
 * Opens (and makes) a folder as a storage, and clears half-written files of processes that died.
 * @throws the file system's error when the folder cannot be made or written.
 */
export async function openLocalStorage(folder: string): Promise<Storage> {
  await mkdir(join(folder, incomingFolder), { recursive: true, mode: 0o700 });
  // mkdir's mode counts only on creation.
  await chmod(folder, 0o700);
  const root = await realpath(folder);
  const incoming = join(root, incomingFolder);
  await removeAbandoned(incoming);

  const place = (key: string) => join(root, ...keySegments(key));

  const put: Storage["put"] = async (key, bytes, { maxBytes }) => {
    const target = place(key);
    const draft = join(incoming, crypto.randomUUID());
    try {
      const size = await writeDraft(draft, limited(bytes, maxBytes));
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      if (!(await isReal(dirname(target)))) throw new Error(`the folder of '${key}' is a link`);
      await rename(draft, target);
      await syncFolder(dirname(target));
      return size;
    } catch (error) {
      await rm(draft, { force: true });
      throw isFileError(error, "ENOSPC", "EDQUOT")
        ? new AppError("UNAVAILABLE", "The file storage is full", null, { cause: error })
        : error;
    }
  };

  const get: Storage["get"] = async (key): Promise<StoredFile | null> => {
    const path = place(key);
    if (!(await isReal(path))) return null;
    const found = await orNull(stat(path));
    return found?.isFile() ? { blob: Bun.file(path), size: found.size, path } : null;
  };

  const list: Storage["list"] = async (prefix) => {
    const path = place(prefix);
    if (!(await isReal(path))) return [];
    const entries = (await orNull(readdir(path, { withFileTypes: true }))) ?? [];
    const files = entries.filter((entry) => entry.isFile());
    const found = await Promise.all(
      files.map(async (entry): Promise<StoredEntry | null> => {
        const facts = await orNull(stat(join(path, entry.name)));
        return facts && { key: `${prefix}/${entry.name}`, size: facts.size, modified: facts.mtimeMs };
      }),
    );
    return found.filter((entry) => entry !== null);
  };

  return {
    name: "local",
    put,
    get,
    has: async (key) => (await get(key)) !== null,
    list,
    remove: async (key) => {
      const path = place(key);
      if (await isReal(dirname(path))) await orNull(unlink(path));
    },
    removePrefix: async (prefix) => {
      const path = place(prefix);
      if (await isReal(dirname(path))) await rm(path, { recursive: true, force: true });
    },
  };
}

async function writeDraft(path: string, source: ByteSource): Promise<number> {
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    let size = 0;
    for await (const chunk of source instanceof Uint8Array ? [source] : source) {
      await writeAll(file, chunk);
      size += chunk.byteLength;
    }
    await file.sync();
    return size;
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.byteLength;)
    done += (await file.write(chunk, done, chunk.byteLength - done)).bytesWritten;
}

/** A rename is durable once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Whether a path exists and no part of it is a link. The root was resolved at the start. */
async function isReal(path: string): Promise<boolean> {
  return (await orNull(realpath(path))) === path;
}

async function removeAbandoned(incoming: string): Promise<void> {
  const limit = Date.now() - abandonedAfter;
  for (const name of await readdir(incoming)) {
    const facts = await orNull(stat(join(incoming, name)));
    if (facts && facts.mtimeMs < limit) await rm(join(incoming, name), { force: true });
  }
}

/** The result, or null when there is no such file. */
async function orNull<T>(result: Promise<T>): Promise<T | null> {
  try {
    return await result;
  } catch (error) {
    if (isFileError(error, "ENOENT", "ENOTDIR", "ELOOP")) return null;
    throw error;
  }
}

function isFileError(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
