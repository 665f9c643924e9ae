/** PostgreSQL's log: a file, bounded by moving it aside, because a pipe to us would end it with us. */
import {
  closeSync,
  copyFileSync,
  fchownSync,
  fstatSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
} from "node:fs";
import type { Identity } from "./identity";

const LIMIT = 8 * 1024 * 1024;

/** Opens the log for appending; the caller closes the descriptor once the child has it. */
export function openLog(path: string, identity: Identity | null): number {
  trimLog(path);
  const file = openSync(path, "a", 0o600);
  if (identity) fchownSync(file, identity.uid, identity.gid);
  return file;
}

/** Moves a log above 8 MiB to `<path>.1`. It is truncated, not renamed: PostgreSQL goes on writing to it. */
export function trimLog(path: string): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= LIMIT) return;
  copyFileSync(path, `${path}.1`);
  truncateSync(path);
}

/** Why PostgreSQL ended: the last FATAL or PANIC line after `offset`, with its hint, else the last line. */
export function lastComplaint(path: string, offset: number): string {
  const file = openSync(path, "r");
  const size = fstatSync(file).size - offset;
  const bytes = Buffer.alloc(Math.max(0, Math.min(size, 65_536)));
  readSync(file, bytes, 0, bytes.length, offset + Math.max(0, size) - bytes.length);
  closeSync(file);
  const lines = bytes.toString().trim().split("\n");
  const complaint = lines.findLast((line) => /(FATAL|PANIC): /.test(line)) ?? lines.at(-1) ?? "";
  return complaint.replace(/^.*?(FATAL|PANIC): +/, "").trim();
}
