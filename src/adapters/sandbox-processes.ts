import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * How many processes live in a pid namespace. RLIMIT_NPROC cannot say it: it counts all processes of a user, and the kernel
 * does not apply it to root at all. When the machine as a whole has no more than `enough`, the answer is just that.
 *
 * Synchronous on purpose: a fork bomb is the case that matters, and it must not win while promises wait their turn.
 */
export function countProcesses(namespace: number, enough: number): number {
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  if (ids.length <= enough) return ids.length;
  const link = `pid:[${namespace}]`;
  let count = 0;
  for (const id of ids) {
    try {
      if (readlinkSync(`/proc/${id}/ns/pid`) === link) count += 1;
    } catch {
      // Gone since it was listed, or not ours to look at: not in the sandbox.
    }
  }
  return count;
}

/**
 * A RLIMIT_NPROC for a sandbox with a limit: a brake well above it, because it counts every thread of the user, also those
 * outside, of which there are at most as many as the machine has. Never above what this process may hand on.
 */
export function processBrake(limit: number): number {
  const threads = Number(/\/(\d+) /.exec(readFileSync('/proc/loadavg', 'utf8'))?.[1] ?? 0);
  const hard = /^Max processes\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  const brake = threads + limit * 2 + 64;
  return hard === undefined ? brake : Math.min(brake, Number(hard));
}
