import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';

const firstPause = 2;
const longestPause = 50;

function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY');
}

async function begin(database: Database.Database): Promise<void> {
  for (let pause = firstPause; ; pause = Math.min(pause * 2, longestPause)) {
    try {
      database.exec('BEGIN EXCLUSIVE');
      return;
    } catch (error) {
      if (!isBusy(error)) throw error;
    }
    await sleep(pause);
  }
}

/**
 * Runs `work` while no other process that locks the same file runs its own. The lock is the operating system's, held by
 * way of SQLite, as Node has no flock: a holder that crashes loses it at once, so no lock is ever stale and none has to be
 * broken. Nothing is stored in the file.
 */
export async function withFileLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const database = new Database(file, { timeout: 0 });
  try {
    await begin(database);
    try {
      return await work();
    } finally {
      database.exec('ROLLBACK');
    }
  } finally {
    database.close();
  }
}
