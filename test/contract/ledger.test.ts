import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { openLedger } from '../../src/adapters/ledger.ts';
import type { Decision } from '../../src/model/decision.ts';
import type { LedgerEvent } from '../../src/model/event.ts';
import type { Ledger } from '../../src/ports/ledger.ts';
import { createMemoryLedger } from '../fakes/memory-ledger.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

function sqlite(): Ledger {
  const directory = mkdtempSync(join(tmpdir(), 'regrow-ledger-'));
  const ledger = openLedger({ file: join(directory, 'ledger.db') });
  cleanups.push(async () => {
    await ledger.close();
    rmSync(directory, { recursive: true });
  });
  return ledger;
}

function decision(name: string, because: string): Decision {
  return {
    package: name,
    action: 'current',
    from: { version: '1.0', epoch: 0 },
    reason: 'up-to-date',
    because,
    urgency: 'normal',
    evidence: [],
    fixes: [],
  };
}

function event(id: string, name?: string): LedgerEvent {
  const about = name === undefined ? {} : { package: name };
  return { id, at: '2026-11-24T00:00:00.000Z', kind: 'decided', ...about, text: `decided ${id}`, facts: { n: 1 } };
}

const at = ['2026-11-24T00:00:00.000Z', '2026-11-24T01:00:00.000Z', '2026-11-24T02:00:00.000Z'] as const;

describe.each([
  ['sqlite', sqlite],
  ['memory', createMemoryLedger],
])('a ledger in %s', (_name, open) => {
  test('says whether a write changed something, and keeps the time of the change', async () => {
    const ledger = open();
    expect(await ledger.put('decision', 'jq', decision('jq', 'a'), at[0], 'jq')).toBe('new');
    expect(await ledger.put('decision', 'jq', decision('jq', 'a'), at[1], 'jq')).toBe('same');
    expect(await ledger.get('decision', 'jq')).toEqual({
      key: 'jq',
      package: 'jq',
      value: decision('jq', 'a'),
      at: at[0],
    });
    expect(await ledger.put('decision', 'jq', decision('jq', 'b'), at[2], 'jq')).toBe('changed');
    expect((await ledger.get('decision', 'jq'))?.at).toBe(at[2]);
    await ledger.remove('decision', 'jq');
    expect(await ledger.get('decision', 'jq')).toBeUndefined();
    expect(await ledger.put('decision', 'jq', decision('jq', 'b'), at[2], 'jq')).toBe('new');
  });

  test('compares values, not the order of their keys', async () => {
    const ledger = open();
    const one = decision('jq', 'a');
    await ledger.put('decision', 'jq', one, at[0]);
    const turned = Object.fromEntries(Object.entries(one).reverse()) as Decision;
    expect(await ledger.put('decision', 'jq', turned, at[1])).toBe('same');
  });

  test('lists a kind by key, and one package of it', async () => {
    const ledger = open();
    for (const name of ['zlib', 'curl', 'jq']) {
      await ledger.put('decision', name, decision(name, 'x'), at[0], name);
    }
    await ledger.put('cursor', 'curl', { etag: '"1"' }, at[0]);
    expect((await ledger.list('decision')).map((row) => row.key)).toEqual(['curl', 'jq', 'zlib']);
    expect((await ledger.list('decision', 'jq')).map((row) => row.key)).toEqual(['jq']);
    expect((await ledger.list('decision', undefined, 'j')).map((row) => row.key)).toEqual(['jq']);
    expect(await ledger.list('decision', 'curl', 'j')).toEqual([]);
    expect(await ledger.list('finding')).toEqual([]);
  });

  test('appends an event once, and gives the newest first', async () => {
    const ledger = open();
    expect(await ledger.append(event('a', 'jq'))).toBe(true);
    expect(await ledger.append(event('b', 'curl'))).toBe(true);
    expect(await ledger.append({ ...event('a', 'jq'), text: 'again' })).toBe(false);
    expect(await ledger.append(event('c'))).toBe(true);
    const all = await ledger.events({ limit: 10 });
    expect(all.map((one) => one.id)).toEqual(['c', 'b', 'a']);
    expect(all[2]).toMatchObject({ text: 'decided a', package: 'jq', facts: { n: 1 } });
    expect((await ledger.events({ limit: 10, package: 'jq' })).map((one) => one.id)).toEqual(['a']);
    expect((await ledger.events({ limit: 1 })).map((one) => one.id)).toEqual(['c']);
    const after = all[2]?.sequence ?? 0;
    expect((await ledger.events({ limit: 10, after })).map((one) => one.id)).toEqual(['c', 'b']);
  });
});
