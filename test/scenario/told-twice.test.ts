import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findFaketime } from '../../src/adapters/faketime.ts';
import { readProvenance } from '../support/independent/provenance.ts';
import { type PublishedRepository, readPublished } from '../support/independent/repository.ts';

/**
 * Built twice, on two clocks, in two folders: the demo's story is told by two processes whose surroundings have nothing in common
 * that could get into a package: folder, working directory, home, temporary folder, time zone, locale, umask, the clock of the
 * daemon, and, where libfaketime is there, the clock of the whole process and that of every build step, both libcs.
 */
const patience = 600_000;
const day = 86_400;
const folder = mkdtempSync(join(tmpdir(), 'regrow-twice-'));
const library = findFaketime();
if (library === undefined) {
  process.stderr.write(
    'no libfaketime here (apt install faketime): only the daemon has another clock, its processes and steps do not\n',
  );
}
let first: PublishedRepository;
let second: PublishedRepository;

interface Surroundings {
  readonly directory: string;
  readonly umask: number;
  readonly environment: Readonly<Record<string, string>>;
  /** Seconds. */
  readonly ahead: number;
}

const stores = {
  first: join(folder, 'one/state/objects'),
  second: join(folder, 'another/much/further/down/state/objects'),
};

async function tell({ directory, umask, environment, ahead }: Surroundings): Promise<PublishedRepository> {
  const [home, temporary, work] = ['home', 'tmp', 'work'].map((name) => join(directory, '..', `${name} of it`));
  for (const path of [home, temporary, work]) mkdirSync(path ?? '', { recursive: true });
  const isFaked = library !== undefined && ahead > 0;
  const clock = isFaked
    ? { LD_PRELOAD: library, FAKETIME: `+${ahead}`, FAKETIME_DONT_FAKE_MONOTONIC: '1', NO_FAKE_STAT: '1' }
    : {};
  const argument = {
    directory,
    umask,
    ahead: isFaked ? 0 : ahead * 1000,
    ...(isFaked ? { stepClock: { library, secondsAhead: ahead } } : {}),
  };
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const teller = join(import.meta.dirname, '../support/demo-teller.ts');
  await execa(process.execPath, ['--import', loader, teller, JSON.stringify(argument)], {
    cwd: work ?? '',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: home, TMPDIR: temporary, ...environment, ...clock },
    extendEnv: false,
    stdin: 'ignore',
  });
  return readPublished(join(directory, 'state/objects'));
}

beforeAll(async () => {
  [first, second] = await Promise.all([
    tell({ directory: join(folder, 'one'), umask: 0o022, environment: { TZ: 'UTC', LC_ALL: 'C.UTF-8' }, ahead: 0 }),
    tell({
      directory: join(folder, 'another/much/further/down'),
      umask: 0o077,
      environment: { TZ: 'Pacific/Kiritimati', LC_ALL: 'C', LANG: 'tr_TR.UTF-8' },
      ahead: 1500 * day + 12_345,
    }),
  ]);
}, patience);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Everything that the newest generation and the tagged images consist of, by digest. What came and went before them depends on how
 * many packages happened to be published together.
 */
function reachable(store: string): ReadonlyMap<string, Buffer> {
  const found = new Map<string, Buffer>();
  const follow = (text: string): void => {
    for (const [digest] of text.matchAll(/\b[0-9a-f]{64}\b/g)) {
      const attached = join(store, 'images/attached', `${digest}.json`);
      const path = join(store, 'blobs/sha256', digest.slice(0, 2), digest);
      if (found.has(digest) || !existsSync(path)) continue;
      const blob = readFileSync(path);
      found.set(digest, blob);
      if (blob[0] === 0x7b || blob[0] === 0x5b) follow(blob.toString('utf8'));
      if (existsSync(attached)) follow(readFileSync(attached, 'utf8'));
    }
  };
  for (const key of ['repository/current', 'images/current']) follow(readFileSync(join(store, key), 'utf8'));
  return found;
}

/** What a blob is, of those that may be another one each time. */
function kindOf(blob: Buffer): string {
  const text = blob.toString('utf8');
  if (text.startsWith('[')) return 'list of packages';
  if (!text.startsWith('{')) return `something else: ${text.slice(0, 100)}`;
  const value = JSON.parse(text) as Record<string, unknown>;
  if (typeof value['payload'] === 'string') return 'signed statement';
  if (/cosign|sigstore|in-toto|dsse/.test(text)) return 'signature or attestation of an image';
  return value['architecture'] === '' ? 'configuration of attestations' : `something else: ${text.slice(0, 300)}`;
}

describe('told on two clocks, in two folders', () => {
  it('publishes the same bytes: keys, indexes, packages with their SBOMs, and images, for each C library', () => {
    const digests = ({ targets, images, keys }: PublishedRepository) => ({
      keys: Object.fromEntries(keys),
      targets: [...targets].map(([target, { index, packages }]) => ({
        target,
        index: sha256(index),
        packages: Object.fromEntries([...packages].map(([file, bytes]) => [file, sha256(bytes)])),
      })),
      images: Object.fromEntries(images),
    });
    expect(first.targets.size).toBeGreaterThan(0);
    expect(first.images.size).toBeGreaterThan(first.targets.size);
    expect(digests(second)).toEqual(digests(first));
  });

  /** Of a package that it was built with, what was there at the time: in staging, or published, and signed. */
  const built = (dependency: { readonly name?: string | undefined; readonly digest?: unknown }) =>
    dependency.name?.endsWith('.apk') === true ? dependency.name : dependency;

  it('says the same of where each package came from, but for when, and where what it was built with was by then', () => {
    const without = (text: string, { keys }: PublishedRepository) => {
      const { subject, predicate } = readProvenance(text, keys);
      const { metadata, ...run } = predicate.runDetails;
      const { startedOn, finishedOn, ...others } = metadata ?? {};
      const { internalParameters, resolvedDependencies = [], ...definition } = predicate.buildDefinition;
      const { request, ...parameters } = internalParameters ?? {};
      expect(request).toMatch(/^[0-9a-f]{64}$/);
      const from = { ...definition, ...parameters, dependencies: resolvedDependencies.map(built) };
      return { when: [startedOn, finishedOn], what: { subject, ...from, ...run, ...others } };
    };
    for (const [target, { provenance }] of first.targets) {
      for (const [file, text] of provenance) {
        const one = without(text, first);
        const other = without(second.targets.get(target)?.provenance.get(file) ?? '', second);
        expect([file, other.what]).toEqual([file, one.what]);
        const years = one.when.map(
          (time, i) => (Date.parse(other.when[i] ?? '') - Date.parse(time ?? '')) / 1000 / day / 365,
        );
        for (const apart of years) expect(apart).toBeGreaterThan(4);
      }
    }
  });

  it('has nothing else that differs: signatures and statements, and the lists that name them', () => {
    const kinds = [
      'configuration of attestations',
      'list of packages',
      'signature or attestation of an image',
      'signed statement',
    ];
    const [ours, theirs] = [reachable(stores.first), reachable(stores.second)];
    expect(theirs.size).toBe(ours.size);
    const differing = [...ours].filter(([digest]) => !theirs.has(digest)).map(([, blob]) => kindOf(blob));
    expect(differing).toContain('signed statement');
    expect(differing.filter((kind) => !kinds.includes(kind))).toEqual([]);
    expect(differing.length).toBeLessThan(ours.size / 2);
  });
});
