import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { createFsObjects } from '../../../src/adapters/objects/fs.ts';
import { readApk, verifyApkSignature } from '../../../src/formats/apk.ts';
import { readIndex, verifyIndexSignature } from '../../../src/formats/apk-index.ts';
import type { Queues } from '../../../src/jobs/queues.ts';
import type { JobContext } from '../../../src/jobs/worker.ts';
import { compareApkVersions } from '../../../src/model/apk-version.ts';
import { sha256 } from '../../../src/model/canonical.ts';
import type { Generation } from '../../../src/model/publication.ts';
import type { PublishRequest } from '../../../src/model/request.ts';
import type { TargetName } from '../../../src/model/target.ts';
import { blobKey, type Objects, stagingKey } from '../../../src/ports/objects.ts';
import { generationsPrefix, readCurrent, readGeneration, readPackages } from '../../../src/publish/manifest.ts';
import { readResult, requestDigest, storeRequest } from '../../../src/roles/effects.ts';
import { createPublisher } from '../../../src/roles/publisher.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import type { Life } from '../../support/dying-files.ts';
import { makePackage } from '../../support/package-trees.ts';
import { createTestImageSigner, createTestSigner } from '../../support/test-signer.ts';
import { publishRequestOf } from '../../support/verdicts.ts';

const life = vi.hoisted((): Life => ({ calls: 0, end: Number.POSITIVE_INFINITY, how: 'before' }));
vi.mock('node:fs/promises', async (importOriginal) => {
  const { dyingFiles } = await import('../../support/dying-files.ts');
  return dyingFiles(await importOriginal(), life);
});

const deaths = 200;
const keep = { keepGenerations: 2, keepVersions: 2 };
const names = ['alpha', 'beta', 'gamma', 'delta'] as const;
const targets: readonly TargetName[] = ['x86_64-gnu', 'x86_64-musl'];
const signer = createTestSigner('box');
const imageSigner = createTestImageSigner();
const trusted = [{ name: signer.keyName, publicKey: signer.publicKey }];
const secrets = { signer, keys: { signer, trusted: [signer], retired: [] } };
const clock = createManualClock('2026-06-01T09:00:00.000Z');
// In memory where there is such a folder: what is synced so often would take minutes on a disk.
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'regrow-killed-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The same numbers for the same seed (mulberry32). */
function chanceOf(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

const checksums = new Map<string, string>();

/** The checksum of a signed package; each is looked into once. */
function checksumOf(digest: string, bytes: Uint8Array): string {
  const known = checksums.get(digest);
  if (known !== undefined) return known;
  verifyApkSignature(bytes, trusted);
  const { checksum } = readApk(bytes);
  checksums.set(digest, checksum);
  return checksum;
}

/** What a machine finds in a generation: signed, with every package there, whole and as the index says. */
async function contentOf(objects: Objects, generation: Generation | undefined): Promise<string[]> {
  const found: string[] = [];
  for (const [name, digests] of Object.entries(generation?.targets ?? {})) {
    if (generation === undefined) break;
    const target = name as TargetName;
    const index = (await objects.get(blobKey(digests.index)))?.bytes ?? new Uint8Array();
    expect(sha256(index)).toBe(digests.index);
    verifyIndexSignature(index, trusted);
    const packages = await readPackages(objects, generation, target);
    expect(readIndex(index).entries.map(({ checksum }) => checksum)).toEqual(packages.map(({ checksum }) => checksum));
    for (const artifact of packages) {
      const bytes = (await objects.get(blobKey(artifact.digest)))?.bytes ?? new Uint8Array();
      expect(sha256(bytes)).toBe(artifact.digest);
      expect(checksumOf(artifact.digest, bytes)).toBe(artifact.checksum);
      found.push(`${target} ${artifact.info.name} ${artifact.info.version}`);
    }
  }
  return found.toSorted();
}

/** What is to be published after some packages came: the two newest versions of each. */
function withAdded(content: readonly string[], add: PublishRequest['add']): string[] {
  const all = new Set([
    ...content,
    ...add.map(({ artifact: { info, target } }) => `${target} ${info.name} ${info.version}`),
  ]);
  const versions = new Map<string, string[]>();
  for (const line of all) {
    const end = line.lastIndexOf(' ');
    versions.set(line.slice(0, end), [...(versions.get(line.slice(0, end)) ?? []), line.slice(end + 1)]);
  }
  return [...versions]
    .flatMap(([what, own]) =>
      own
        .toSorted(compareApkVersions)
        .slice(-keep.keepVersions)
        .map((one) => `${what} ${one}`),
    )
    .toSorted();
}

type Job = { readonly request: string } | { readonly to: number; readonly slot: number };

function effectOf(job: Job): string {
  return 'to' in job ? `rollback-${job.to}-${job.slot}` : `publish-${requestDigest(job.request)}`;
}

/** Up to three packages as a builder leaves them, of versions that were not there before. */
async function stageSome(
  objects: Objects,
  chance: (limit: number) => number,
  version: string,
): Promise<PublishRequest['add']> {
  const add: PublishRequest['add'] = [];
  for (let i = chance(3); i >= 0; i -= 1) {
    const sample = { name: names[chance(names.length)] ?? 'alpha', version: `${version}.${i}-r0` };
    const target = targets[chance(targets.length)] ?? 'x86_64-gnu';
    const nodes = { 'usr/share/x': sample.version };
    const { artifact, bytes } = await makePackage({ ...sample, nodes, input: { target } });
    const key = stagingKey(`${target}-${sample.name}-${sample.version}`, `${sample.name}-${sample.version}.apk`);
    await objects.put(key, bytes);
    add.push({ key, artifact });
  }
  return add;
}

it(`a publisher that is killed at any of ${deaths} calls of the file system leaves a whole repository, and the next one finishes`, async () => {
  const seed = Number(process.env['REGROW_CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
  process.stderr.write(`publishers die at calls chosen by seed ${seed} (REGROW_CRASH_SEED)\n`);
  const chance = chanceOf(seed);
  const objects = await createFsObjects(join(folder, 'objects'));

  /** A publisher from its start to the end of a job, which dies at call `end`. Gives how many calls it made. */
  const run = async (job: Job, end: number, how: Life['how']): Promise<number> => {
    Object.assign(life, { calls: 0, end, how });
    try {
      const queues = { enqueue: async () => '' } as unknown as Queues;
      const own = await createFsObjects(join(folder, 'objects'));
      const options = { ...keep, description: 'box' };
      const publisher = await createPublisher({
        objects: own,
        queues,
        ...secrets,
        imageSigner,
        clock,
        options,
        verify: async () => [],
      });
      if ('to' in job) await publisher.rollback?.({ to: job.to, slot: job.slot }, {} as JobContext);
      else await publisher.publish?.({ request: job.request, attempt: 1 }, {} as JobContext);
    } catch (thrown) {
      if (life.calls < life.end) throw thrown;
    }
    const { calls } = life;
    Object.assign(life, { calls: 0, end: Number.POSITIVE_INFINITY });
    return calls;
  };

  const cut = { unseen: 0, seen: 0 };
  let calls = 60;
  for (let round = 1; cut.unseen + cut.seen < deaths; round += 1) {
    const before = (await readCurrent(objects))?.generation;
    const old = await contentOf(objects, before);
    // Now and then back to the generation before; forth again the time after.
    const goesBack = round > 2 && chance(4) === 0;
    const add = goesBack ? [] : await stageSome(objects, chance, `1.${round}`);
    const job: Job = goesBack
      ? { to: round - 2, slot: round }
      : { request: await storeRequest(objects, publishRequestOf(add, signer)) };
    const due = goesBack ? await contentOf(objects, await readGeneration(objects, round - 2)) : withAdded(old, add);

    const end = 1 + chance(calls);
    const how = (['before', 'after', 'half'] as const)[chance(3)] ?? 'before';
    const made = await run(job, end, how);
    const left = (await readCurrent(objects))?.generation;
    const moved = left?.generation !== before?.generation;
    expect(await contentOf(objects, left), `round ${round}, killed ${how} call ${end}`).toEqual(moved ? due : old);
    expect(moved ? before : left).toEqual(before);
    // Where it needed fewer calls than the one before, it was not killed.
    if (made >= end) cut[moved ? 'seen' : 'unseen'] += 1;

    calls = await run(job, Number.POSITIVE_INFINITY, 'before');
    const done = (await readCurrent(objects))?.generation;
    expect(await contentOf(objects, done), `round ${round}, finished`).toEqual(due);
    expect(done?.generation).toBe(round);
    expect((await readResult(objects, effectOf(job), 'published'))?.generation).toEqual(done);
    for (const key of await objects.list(generationsPrefix)) {
      const number = Number(/(\d+)\.json$/.exec(key)?.[1]);
      if (number >= round - keep.keepGenerations) await contentOf(objects, await readGeneration(objects, number));
    }
  }
  process.stderr.write(`${JSON.stringify(cut)}\n`);
  expect(cut.unseen).toBeGreaterThan(5);
  expect(cut.seen).toBeGreaterThan(5);
}, 120_000);
