import { readdirSync, readlinkSync } from 'node:fs';

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
