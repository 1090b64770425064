import { readFileSync, readlinkSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RegrowError } from '../errors.ts';
import type { Logger } from '../log.ts';

/** Milliseconds that an orphan has to write its file and end. */
const endPatience = 10_000;

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** When a process started, in ticks since boot (proc(5), `stat` field 22): with its id, who it is. Undefined when it is gone. */
function startOf(pid: number): string | undefined {
  // The name in field 2 may hold spaces and parentheses; what follows the last one does not.
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

/** Whether a process is a redis-server that works in this directory. */
function isRedisOf(pid: number, directory: string): boolean {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return command.includes('redis-server') && readlinkSync(`/proc/${pid}/cwd`) === realpathSync(directory);
  } catch {
    return false;
  }
}

export function redisPid(directory: string): number | undefined {
  const pid = Number(readIfThere(join(directory, 'redis.pid')));
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
}

/**
 * Takes the directory for this process. Refused while another daemon that lives has it: its Redis must not be ended, nor a
 * second one started on its files. Errors: config.invalid.
 */
export function claimDirectory(directory: string): void {
  const file = join(directory, 'owner');
  const [pid = '', start = ''] = (readIfThere(file) ?? '').split(' ');
  if (pid !== '' && Number(pid) !== process.pid && start !== '' && startOf(Number(pid)) === start) {
    throw new RegrowError('config.invalid', `${directory} is in use by another regrow, process ${pid}`, {
      file: directory,
      field: 'stateDirectory',
      remedy: 'stop it, or give this one a stateDirectory of its own',
    });
  }
  writeFileSync(file, `${process.pid} ${startOf(process.pid) ?? ''}`);
}

/** Ends a Redis of this directory whose daemon is gone. */
export async function endOrphan(directory: string, log: Logger): Promise<void> {
  const pid = redisPid(directory);
  if (pid !== undefined && isRedisOf(pid, directory)) {
    log.warn({ pid, directory }, 'ending the Redis of a daemon that is gone');
    process.kill(pid, 'SIGTERM');
    const deadline = performance.now() + endPatience;
    while (isRedisOf(pid, directory)) {
      if (performance.now() > deadline) process.kill(pid, 'SIGKILL');
      await sleep(20);
    }
  }
  rmSync(join(directory, 'redis.pid'), { force: true });
}
