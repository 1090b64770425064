import { describe, expect, test } from 'vitest';
import { indexAdvisories } from '../../../src/decide/vulnerability.ts';
import type { Artifact } from '../../../src/model/artifact.ts';
import { osvSchema } from '../../../src/model/osv.ts';
import type { Generation } from '../../../src/model/publication.ts';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import type { ObservedResult, WatchedResult } from '../../../src/model/result.ts';
import type { Ledger } from '../../../src/ports/ledger.ts';
import { openBook } from '../../../src/roles/conductor/book.ts';
import type { ConductorContext } from '../../../src/roles/conductor/context.ts';
import { recordFindings } from '../../../src/roles/conductor/finding.ts';
import { recordGenerations } from '../../../src/roles/conductor/generations.ts';
import { recordObserved, recordWatched } from '../../../src/roles/conductor/observing.ts';
import type { World } from '../../../src/roles/conductor/world.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';
import { artifactOf } from '../../support/packages.ts';

const at = '2026-06-01T09:00:00.000Z';

/** A ledger that refuses every write after the first `writes`, as a process that was killed does. */
function dyingLedger(ledger: Ledger, writes: number): Ledger {
  let left = writes;
  const spend = () => {
    if (left === 0) throw new Error('killed');
    left -= 1;
  };
  return {
    ...ledger,
    put: (kind, key, value, when, about) => {
      spend();
      return ledger.put(kind, key, value, when, about);
    },
    remove: (kind, key) => {
      spend();
      return ledger.remove(kind, key);
    },
    append: (event) => {
      spend();
      return ledger.append(event);
    },
  };
}

type Work = (context: ConductorContext) => Promise<unknown>;

/** What is told when every piece of work is killed after `writes` writes and done again; undefined when none was killed. */
async function toldWhenKilled(works: readonly Work[], writes: number): Promise<readonly string[] | undefined> {
  const ledger = createMemoryLedger();
  const clock = createManualClock(at);
  const contextOf = async (over: Ledger) =>
    ({ book: await openBook(over, clock), clock }) as unknown as ConductorContext;
  let killed = false;
  for (const work of works) {
    try {
      await work(await contextOf(dyingLedger(ledger, writes)));
    } catch {
      killed = true;
      // The next daemon starts later, from what is in the ledger.
      clock.advance(60_000);
      await work(await contextOf(ledger));
    }
    clock.advance(60_000);
  }
  const told = (await ledger.events({ limit: 100 })).map(({ kind, text }) => `${kind}: ${text}`).toSorted();
  return killed ? told : undefined;
}

const advisory = osvSchema.parse({
  id: 'X-1',
  modified: at,
  affected: [
    {
      package: { ecosystem: 'GIT', name: 'tool', purl: 'pkg:github/o/tool' },
      ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '1.1.0' }] }],
    },
  ],
});

const source = 'github:o/tool/releases';
const other = 'github:o/other/releases';

const watched: WatchedResult = {
  kind: 'watched',
  effect: 'watched-1',
  at,
  request: 'requests/1.json',
  answers: [
    {
      kind: 'observed',
      source,
      observation: { kind: 'release', source, tags: [{ tag: 'v1.1.0', prerelease: false }], observedAt: at },
      cursor: 'next',
    },
    {
      kind: 'failed',
      source: other,
      failure: { kind: 'failure', source: other, code: 'upstream.failed', message: 'no', observedAt: at },
    },
  ],
};

const observed: ObservedResult = {
  kind: 'observed',
  effect: 'observed-1',
  at,
  source: 'feed',
  observations: [
    { kind: 'advisory', feed: 'feed', id: 'X-1', osv: advisory, observedAt: at },
    { kind: 'failure', source: 'advisories:feed/Go/list', code: 'upstream.failed', message: 'no', observedAt: at },
  ],
  cursor: { cursor: 'next' },
};

const recipe = parseRecipe(
  'tool.yaml',
  'package:\n  name: tool\n  version: "1.0.0"\n  epoch: 0\nupdate:\n  enabled: true\n  github:\n    identifier: o/tool\n',
).recipe;

function worldAt(number: number, ...published: readonly Artifact[]): World {
  const generation: Generation = {
    schema: 1,
    generation: number,
    token: 1,
    at,
    targets: {},
    added: published.map(({ info, target }) => `${info.name}-${info.version} ${target}`),
    removed: [],
  };
  const tree = { recipes: new Map([['tool', { path: 'tool.yaml', recipe }]]) };
  return { tree, generation, published: new Map([['x86_64-gnu', published]]) } as unknown as World;
}

const old = worldAt(1, artifactOf({ name: 'tool', version: '1.0.0-r0' }), artifactOf({ name: 'lib', version: '2-r0' }));
const mended = worldAt(2, artifactOf({ name: 'tool', version: '1.1.0-r0' }));
const index = indexAdvisories([advisory]);

const pieces: Readonly<Record<string, readonly Work[]>> = {
  'what upstreams said': [(context) => recordWatched(context, watched)],
  'what a feed said': [(context) => recordObserved(context, observed)],
  'what was published': [(context) => recordGenerations(context, old), (context) => recordGenerations(context, mended)],
  'what was found and mended': [
    (context) => recordFindings(context, old, index),
    (context) => recordFindings(context, mended, index),
  ],
};

describe.each(Object.entries(pieces))('%s', (_name, works) => {
  test('is told once, wherever the conductor is killed while it writes it down', async () => {
    const ledger = createMemoryLedger();
    const clock = createManualClock(at);
    const context = { book: await openBook(ledger, clock), clock } as unknown as ConductorContext;
    for (const work of works) await work(context);
    const expected = (await ledger.events({ limit: 100 })).map(({ kind, text }) => `${kind}: ${text}`).toSorted();
    expect(expected.length).toBeGreaterThan(1);
    let writes = 0;
    for (; ; writes += 1) {
      const told = await toldWhenKilled(works, writes);
      if (told === undefined) break;
      expect(told, `killed after ${writes} writes`).toEqual(expected);
    }
    expect(writes).toBeGreaterThan(1);
  });
});
