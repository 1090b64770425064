import { describe, expect, test } from 'vitest';
import type { LedgerEvent } from '../../../src/model/event.ts';
import type { ImagePublication } from '../../../src/model/publication.ts';
import { explainName } from '../../../src/report/explain.ts';
import { judgeQuiet, readFreshness, spanText } from '../../../src/report/freshness.ts';
import { passages, readEventsAfter } from '../../../src/report/history.ts';
import { imageRows } from '../../../src/report/images.ts';
import { createMetrics } from '../../../src/report/metrics.ts';
import { createRepositoryView } from '../../../src/report/repository.ts';
import { listPackages, readStatus } from '../../../src/report/status.ts';
import { agoText, statusText } from '../../../src/report/text.ts';
import { before, createWorld, decision, noon, publish, settings, type World } from '../../support/report-world.ts';

async function statusOf(world: World) {
  const ports = { ...world, repository: createRepositoryView(world.objects), conductor: async () => before(1) };
  return readStatus(
    ports,
    settings,
    await listPackages(ports, settings),
    await readFreshness(world.ledger, new Date(noon)),
  );
}

let number = 0;
function event(kind: LedgerEvent['kind'], minutes: number, change: Partial<LedgerEvent> = {}): LedgerEvent {
  number += 1;
  return { id: `e${number}`, at: before(minutes), kind, package: 'zlib', text: kind, facts: {}, ...change };
}

describe('freshness', () => {
  async function watched(world: World): Promise<void> {
    for (const [name, minutes] of [
      ['a', 40],
      ['b', 20],
    ] as const) {
      const release = { kind: 'release' as const, source: name, tags: [], observedAt: before(900) };
      await world.ledger.put('observation', `release/${name}`, release, before(900));
      const row = { source: name, packages: [name], interval: 1800, asked: before(minutes) };
      await world.ledger.put('watch', name, row, before(minutes));
    }
    const osv = { id: 'A-1', modified: before(50), aliases: [], affected: [] };
    const advisory = { kind: 'advisory' as const, feed: 'osv', id: 'A-1', osv, observedAt: before(50) };
    await world.ledger.put('observation', 'advisory/osv/A-1', advisory, before(50));
  }

  test('a source is as fresh as when it was last asked, not as its last change', async () => {
    const world = createWorld();
    await watched(world);
    expect(await readFreshness(world.ledger, new Date(noon))).toEqual({
      sources: {
        total: 2,
        due: 1,
        dueSince: before(10),
        asked: 2,
        failing: [],
        newest: before(20),
        oldest: before(40),
      },
      feeds: [{ name: 'osv', records: 1, lastSeen: before(50) }],
      lastObservation: before(20),
    });
  });

  test('what is due is counted, with since when the first of it is; what nobody watches is not', async () => {
    const world = createWorld();
    await watched(world);
    const never = { source: 'c', packages: ['c'], interval: 1800 };
    await world.ledger.put('watch', 'c', never, before(13));
    await world.ledger.put('watch', 'd', { ...never, source: 'd', packages: [] }, before(500));
    await world.ledger.put('watch', 'e', { ...never, source: 'e', asked: before(70), interval: 86_400 }, before(70));
    const status = await statusOf(world);
    expect(status.sources).toMatchObject({ total: 4, due: 2, dueSince: before(13), asked: 2 });
    expect(statusText(status, { color: false })).toMatch(/^sources +4, 2 due, the first for 13 min$/m);
    const metrics = await createMetrics(world.ledger).scrape(status);
    expect(metrics).toContain('regrow_sources_due 2');
    expect(metrics).toContain('regrow_sources_asked 2');
    expect(metrics).toContain('regrow_sources_oldest_due_seconds 780');
  });

  test('what fails is named, with since when; a feed too', async () => {
    const world = createWorld();
    await watched(world);
    for (const source of ['a', 'osv']) {
      const failure = {
        kind: 'failure' as const,
        source,
        code: 'upstream.unreachable',
        message: 'no route',
        observedAt: before(70),
      };
      await world.ledger.put('observation', `failure/${source}`, failure, before(70));
    }
    const { sources, feeds } = await readFreshness(world.ledger, new Date(noon));
    expect(sources).toMatchObject({ total: 2, oldest: before(20) });
    expect(sources.failing).toEqual([{ source: 'a', since: before(70), message: 'upstream.unreachable: no route' }]);
    expect(feeds[0]).toMatchObject({ failingSince: before(70) });
  });

  test.each([
    [
      { lastObservation: before(10), lastEvent: before(300), conductor: before(1) },
      false,
      'upstreams answered 10 min ago; the last event was 5 h ago',
    ],
    [
      { lastObservation: before(10), conductor: before(1) },
      false,
      'upstreams answered 10 min ago; nothing has happened yet',
    ],
    [{ lastObservation: before(100), conductor: before(1) }, true, 'no upstream has answered for 100 min'],
    [{ lastObservation: before(10), conductor: before(60) }, true, 'the conductor has made no round for 60 min'],
    [{}, false, 'no upstream has answered yet'],
    [{ watched: 0 }, false, 'no upstream has answered yet'],
    [
      { watched: 0, lastEvent: before(4), conductor: before(1) },
      false,
      'no upstream is watched; the last event was 4 min ago',
    ],
  ])('the dead man’s switch: %j', (times, alarm, text) => {
    expect(judgeQuiet({ now: new Date(noon), watched: 1, ...times }, settings)).toMatchObject({ alarm, text });
  });

  test('spans of time', () => {
    expect([0, 59_000, 61_000, 119 * 60_000, 120 * 60_000, 47 * 3_600_000, 72 * 3_600_000].map(spanText)).toEqual([
      '0 s',
      '59 s',
      '1 min',
      '119 min',
      '2 h',
      '47 h',
      '3 d',
    ]);
    expect(agoText(before(-5), noon)).toBe('in 5 min');
  });
});

describe('images', () => {
  const image: ImagePublication = {
    ref: 'hello:latest',
    digest: `sha256:${'a'.repeat(64)}`,
    generation: 1,
    at: noon,
    platforms: [
      {
        target: 'x86_64-gnu',
        manifest: 'm',
        packages: [{ name: 'libz', version: '1.0-r3', origin: 'zlib' }],
        output: 'hi\n',
      },
    ],
    vulnerabilities: ['A-1'],
  };
  const finding = { advisory: 'A-2', aliases: [], package: 'zlib', version: '1.0', component: 'c', fixedIn: [] };

  test('are as vulnerable as what they hold is known to be now', () => {
    const findings = [finding, { ...finding, advisory: 'A-3', version: '0.9' }];
    const [row] = imageRows({ schema: 1, images: [image] }, findings, []);
    expect(row).toMatchObject({ state: 'current', vulnerabilities: ['A-1', 'A-2'] });
  });

  const problem = (name: string) => ({
    at: before(8),
    value: {
      area: 'image' as const,
      name,
      code: 'solve.unsatisfiable',
      message: 'cannot meet libx: no package is or provides it',
      remedy: 'publish it',
      file: `images/${name}.yaml`,
    },
  });

  test('whose definition is wrong fail with all their tags; one that never was published has a row of its own', () => {
    const rows = imageRows({ schema: 1, images: [image] }, [], [problem('hello'), problem('other')]);
    expect(rows.map(({ ref, state, digest, generation }) => ({ ref, state, digest, generation }))).toEqual([
      { ref: 'hello:latest', state: 'failing', digest: image.digest, generation: 1 },
      { ref: 'other', state: 'failing', digest: undefined, generation: undefined },
    ]);
  });

  test('a wrong image is no failure of the package of its name, and is explained by its tag', async () => {
    const world = createWorld();
    const repository = createRepositoryView(world.objects);
    const ports = { ledger: world.ledger, repository, queue: world.queue };
    await publish(world, 3, ['x86_64-gnu'], { hello: '1.0-r0' });
    await world.ledger.put('decision', 'hello', decision('hello'), before(30), 'hello');
    await world.objects.put('images/current', Buffer.from(JSON.stringify({ schema: 1, images: [image] })));
    await world.ledger.put('problem', 'image/hello', problem('hello').value, before(8), 'hello');

    const packages = await listPackages(ports, settings);
    expect(packages).toMatchObject([{ package: 'hello', state: 'current', upstream: '1.0' }]);
    const text = statusText(await statusOf(world), { color: false });
    expect(text).toMatch(/^hello:latest +failing +1 /m);
    expect(text).toContain('hello:latest: cannot meet libx');
    expect((await explainName(ports, settings, 'hello', noon))?.state).toBe('current');
    expect(await explainName(ports, settings, 'hello:latest', noon)).toMatchObject({
      state: 'failing',
      answer: expect.stringContaining('hello:latest is published from generation 1: cannot meet libx'),
      actions: ['publish it', 'mend images/hello.yaml and push it to main'],
    });
    const { remedy: _, ...unsigned } = { ...problem('hello').value, code: 'sigstore.unreachable' };
    await world.ledger.put('problem', 'image/hello', unsigned, before(8), 'hello');
    expect(await explainName(ports, settings, 'hello:latest', noon)).toMatchObject({
      actions: ['see sigstore.unreachable in docs/errors.md'],
    });
    await world.ledger.remove('problem', 'image/hello');
    expect((await explainName(ports, settings, 'hello:latest', noon))?.state).toBe('current');
    expect(await explainName(ports, settings, 'hello:other', noon)).toBeUndefined();
  });
});

describe('history', () => {
  test('catching up gives what is new, oldest first, and says when some are left out', async () => {
    const { ledger } = createWorld();
    for (let minutes = 9; minutes > 0; minutes -= 1) await ledger.append(event('decided', minutes));
    const few = await readEventsAfter(ledger, 6, 10);
    expect(few.events.map((one) => one.sequence)).toEqual([7, 8, 9]);
    expect(few.skipped).toBe(false);
    const many = await readEventsAfter(ledger, 0, 4);
    expect(many.events.map((one) => one.sequence)).toEqual([6, 7, 8, 9]);
    expect(many.skipped).toBe(true);
  });

  test('a passage begins with the release of the source that the proposal follows, or with the finding', () => {
    const { package: _, ...released } = event('release-seen', 60, { facts: { source: 'github:a/zlib' } });
    const events = [
      released,
      event('proposed', 50, { facts: { source: 'github:a/zlib' } }),
      event('finding-opened', 45, { package: 'hello' }),
      event('proposed', 40, { package: 'hello' }),
      event('published', 20),
      event('proposal-closed', 10, { package: 'hello' }),
      event('published', 5, { package: 'hello' }),
    ];
    expect(passages(events)).toEqual([
      { package: 'zlib', seen: before(60), proposed: before(50), published: before(20) },
    ]);
  });
});

describe('metrics', () => {
  test('count each event once, however often and at once they are read', async () => {
    const world = createWorld();
    const metrics = createMetrics(world.ledger);
    await world.ledger.append(event('finding-opened', 60));
    await world.ledger.append(event('proposed', 50));
    const status = await statusOf(world);
    await Promise.all([metrics.scrape(status), metrics.scrape(status)]);
    await world.ledger.append(event('published', 20));
    const text = await metrics.scrape(status);
    expect(text).toContain('regrow_events_total{kind="proposed"} 1');
    expect(text).toContain('regrow_detect_to_proposal_seconds_sum 600');
    expect(text).toContain('regrow_proposal_to_publication_seconds_sum 1800');
    expect(text).toContain('regrow_detect_to_publication_seconds_count 1');
    expect(await metrics.scrape(status)).toContain('regrow_detect_to_publication_seconds_count 1');
  });

  test('what is gone is no longer shown', async () => {
    const world = createWorld();
    const metrics = createMetrics(world.ledger);
    await publish(world, 1, settings.targets, { zlib: '1.0-r0' });
    await world.ledger.put('decision', 'zlib', decision('zlib'), before(5), 'zlib');
    expect(await metrics.scrape(await statusOf(world))).toContain('regrow_published_packages{target="x86_64-musl"} 2');
    await publish(world, 2, ['x86_64-gnu'], { zlib: '1.0-r0' });
    expect(await metrics.scrape(await statusOf(world))).not.toContain('x86_64-musl');
  });
});

describe('what is published', () => {
  test('is read once for each list, and a read that failed is tried again', async () => {
    const world = createWorld();
    const generation = await publish(world, 1, ['x86_64-gnu'], { zlib: '1.0-r0' });
    const view = createRepositoryView(world.objects);
    world.objects.faults.fail('get', { prefix: 'blobs/' });
    await expect(view.packages(generation, 'x86_64-gnu')).rejects.toMatchObject({ code: 'storage.failed' });
    const reads = () => world.objects.calls.filter((call) => call.startsWith('get blobs/')).length;
    const failed = reads();
    for (let time = 0; time < 3; time += 1) expect(await view.packages(generation, 'x86_64-gnu')).toHaveLength(2);
    expect(reads() - failed).toBe(1);
    expect(await view.packages(generation, 'aarch64-musl')).toEqual([]);
  });

  test('a package list that is gone is a damaged repository', async () => {
    const world = createWorld();
    const generation = await publish(world, 1, ['x86_64-gnu'], { zlib: '1.0-r0' });
    for (const key of await world.objects.list('blobs/')) await world.objects.remove(key);
    const view = createRepositoryView(world.objects);
    await expect(view.packages(generation, 'x86_64-gnu')).rejects.toMatchObject({ code: 'repository.corrupt' });
  });
});
