/** What processes have used so far, read from /proc (Linux), and the cores that they may use. */
import { readFileSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Ticks of the kernel's clock in a second (`getconf CLK_TCK`; 100 on every Linux we know). */
const ticks = 100;

/** CPU in ms that a process has used, its ended children with it. */
export function cpuOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15).map(Number);
  return ((user + system + childUser + childSystem) * 1000) / ticks;
}

/** CPU in ms of a process and all that descend from it. */
export function cpuOfTree(pid: number): number {
  let sum = 0;
  for (const member of treeOf(pid)) {
    try {
      sum += cpuOf(member);
    } catch {
      // It ended while we looked; its parent has its time now.
    }
  }
  return sum;
}

/** A process and its descendants. */
export function treeOf(pid: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const text = readFileSync(`/proc/${name}/stat`, "latin1");
      const parent = Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // It ended while we looked.
    }
  }
  const collect = (member: number): number[] => [member, ...(children.get(member) ?? []).flatMap(collect)];
  return collect(pid);
}

/** Resident memory of one process in MB, and the proportional memory of several (shared pages counted once). */
export function residentOf(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  return Number(found?.[1] ?? 0) / 1000;
}

export function proportionalOf(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids) {
    try {
      sum += Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"))?.[1] ?? 0);
    } catch {
      // It ended while we looked.
    }
  }
  return sum / 1000;
}

/**
 * Gives this process, which plays the clients, the last core, and servers with all that descends from them the others. Left
 * alone the kernel puts whom a packet wakes beside the sender, on one core, for some milliseconds and by chance. Needs `taskset`.
 */
export function separate(servers: readonly number[]): void {
  const last = availableParallelism() - 1;
  if (last === 0) return;
  const pin = (cores: string, pid: number) =>
    Bun.spawnSync(["taskset", "--all-tasks", "--cpu-list", "--pid", cores, String(pid)]);
  for (const pid of servers.flatMap(treeOf)) pin(`0-${last - 1}`, pid);
  pin(String(last), process.pid);
}
