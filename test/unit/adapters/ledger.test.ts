import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openLedger } from '../../../src/adapters/ledger.ts';
import { createLedgerReader } from '../../../src/adapters/ledger-reader.ts';
import type { Finding } from '../../../src/model/finding.ts';

let directory = '';
let file = '';
const at = '2026-11-24T00:00:00.000Z';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'regrow-ledger-'));
  file = join(directory, 'state', 'ledger.db');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function finding(name: string, summary = ''): Finding {
  return {
    advisory: 'A-1',
    aliases: [],
    package: name,
    version: '1',
    component: `pkg:generic/${name}`,
    fixedIn: [],
    summary,
  };
}

describe('the ledger on disk', () => {
  test('keeps what it has over a close, and can be read while it is written', async () => {
    const ledger = openLedger({ file });
    await ledger.put('finding', 'A-1/jq', finding('jq'), at, 'jq');
    const reader = openLedger({ file, readonly: true });
    expect(await reader.list('finding')).toHaveLength(1);
    await ledger.put('finding', 'A-1/curl', finding('curl'), at, 'curl');
    expect(await reader.list('finding')).toHaveLength(2);
    await expect(reader.remove('finding', 'A-1/jq')).rejects.toMatchObject({ code: 'ledger.failed' });
    await reader.close();
    await ledger.close();
    const again = openLedger({ file });
    expect((await again.get('finding', 'A-1/jq'))?.value).toEqual(finding('jq'));
    await again.close();
  });

  test('who only looks makes nothing, waits for who writes, and cannot write', async () => {
    const reader = createLedgerReader(file);
    await expect(reader.list('finding')).rejects.toMatchObject({ code: 'ledger.failed', retry: 'later' });
    const ledger = openLedger({ file });
    await ledger.put('finding', 'A-1/jq', finding('jq'), at, 'jq');
    expect(await reader.list('finding')).toHaveLength(1);
    await expect(reader.put('finding', 'A-1/jq', finding('jq', 'other'), at)).rejects.toMatchObject({
      code: 'ledger.failed',
    });
    await reader.close();
    await ledger.close();
    await expect(reader.events({ limit: 1 })).rejects.toMatchObject({ code: 'ledger.failed' });
  });

  test('takes 3,401 values in one go', async () => {
    const ledger = openLedger({ file });
    const started = performance.now();
    await ledger.transaction(async (inner) => {
      for (let n = 0; n < 3401; n += 1) await inner.put('finding', `A-1/p${n}`, finding(`p${n}`), at, `p${n}`);
    });
    expect(performance.now() - started).toBeLessThan(5000);
    expect(await ledger.list('finding')).toHaveLength(3401);
    await ledger.close();
  });

  test('writes all of a transaction or nothing', async () => {
    const ledger = openLedger({ file });
    const failed = ledger.transaction(async (inner) => {
      await inner.put('finding', 'A-1/jq', finding('jq'), at);
      throw new TypeError('boom');
    });
    await expect(failed).rejects.toThrow(TypeError);
    expect(await ledger.list('finding')).toEqual([]);
    await ledger.close();
  });

  test('a row that is damaged is ledger.failed, names the row and the package, and leaves the others readable', async () => {
    const ledger = openLedger({ file });
    await ledger.put('finding', 'A-1/jq', finding('jq'), at, 'jq');
    await ledger.put('finding', 'A-1/curl', finding('curl'), at, 'curl');
    const raw = new Sqlite(file);
    raw.prepare("update entry set value = '{}' where key = 'A-1/jq'").run();
    raw.close();
    await expect(ledger.get('finding', 'A-1/jq')).rejects.toMatchObject({
      code: 'ledger.failed',
      where: { package: 'jq', field: 'finding A-1/jq' },
    });
    expect(await ledger.get('finding', 'A-1/curl')).toBeDefined();
    await ledger.close();
  });

  test('a full disk is storage.full, to be tried later, and what was there stays', async () => {
    const ledger = openLedger({ file, limit: 128 * 1024 });
    let written = 0;
    const fill = async (): Promise<void> => {
      for (; written < 100; written += 1) {
        await ledger.put('finding', `A-1/p${written}`, finding(`p${written}`, 'x'.repeat(8192)), at);
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: 'storage.full', retry: 'later' });
    expect(written).toBeGreaterThan(3);
    expect(await ledger.list('finding')).toHaveLength(written);
    await ledger.close();
  });

  test('a file that is no database is refused and left as it is', () => {
    file = join(directory, 'ledger.db');
    writeFileSync(file, 'not a database, but long enough to look like one'.repeat(100));
    expect(() => openLedger({ file })).toThrow(expect.objectContaining({ code: 'ledger.failed' }));
    expect(readFileSync(file, 'utf8').startsWith('not a database')).toBe(true);
  });

  test('a ledger of a newer regrow is refused', async () => {
    await openLedger({ file }).close();
    const raw = new Sqlite(file);
    raw.exec('update version set version = 99');
    raw.close();
    expect(() => openLedger({ file })).toThrow(expect.objectContaining({ code: 'ledger.failed' }));
  });

  test('looking at a ledger that is not there makes none', () => {
    expect(() => openLedger({ file, readonly: true })).toThrow(expect.objectContaining({ code: 'ledger.failed' }));
  });
});
