import { existsSync } from 'node:fs';
import { RegrowError } from '../errors.ts';
import type { Ledger } from '../ports/ledger.ts';
import { openLedger, type SqliteLedger } from './ledger.ts';

/**
 * The ledger for who only looks: opened read-only at the first question, because the conductor that makes it and brings it
 * up to date may start later, or again as a newer version. Until then each question is ledger.failed, worth asking later.
 */
export function createLedgerReader(file: string): Ledger & { close(): Promise<void> } {
  let opened: SqliteLedger | undefined;
  let closed = false;

  function open(): Ledger {
    if (opened !== undefined) return opened;
    if (closed || !existsSync(file)) {
      throw new RegrowError('ledger.failed', `${file} is not there${closed ? ' any more' : ' yet'}`, {
        file,
        retry: 'later',
        remedy: 'start the conductor, which makes it, with the same state directory',
      });
    }
    opened = openLedger({ file, readonly: true });
    return opened;
  }

  return {
    put: async (...row) => open().put(...row),
    get: async (kind, key) => open().get(kind, key),
    list: async (...asked) => open().list(...asked),
    remove: async (kind, key) => open().remove(kind, key),
    append: async (event) => open().append(event),
    events: async (filter) => open().events(filter),
    async close() {
      closed = true;
      await opened?.close();
      opened = undefined;
    },
  };
}
