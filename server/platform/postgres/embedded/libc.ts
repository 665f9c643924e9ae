/** The few calls of the C library that no API of the runtime offers. Linux with glibc only. */
import { dlopen } from "bun:ffi";

const load = () =>
  dlopen("libc.so.6", {
    flock: { args: ["i32", "i32"], returns: "i32" },
    syncfs: { args: ["i32"], returns: "i32" },
    prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
    getppid: { args: [], returns: "i32" },
    setgroups: { args: ["u64", "ptr"], returns: "i32" },
    setgid: { args: ["u32"], returns: "i32" },
    setuid: { args: ["u32"], returns: "i32" },
    sched_setscheduler: { args: ["i32", "i32", "ptr"], returns: "i32" },
    execv: { args: ["ptr", "ptr"], returns: "i32" },
  }).symbols;

let symbols: ReturnType<typeof load> | undefined;

/** The C library, loaded at the first call. */
export const libc = Object.assign(() => (symbols ??= load()), {
  LOCK_EX: 2,
  LOCK_NB: 4,
  PR_SET_PDEATHSIG: 1,
  SCHED_BATCH: 3,
} as const);
