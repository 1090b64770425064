import { array, assert, asyncProperty, boolean, constantFrom, integer, oneof, option, record } from 'fast-check';
import { expect, test } from 'vitest';
import type { Queues } from '../../../src/jobs/queues.ts';
import type { JobContext } from '../../../src/jobs/worker.ts';
import type { BuildRequest, BuildResult } from '../../../src/model/build.ts';
import { canonicalJson, sha256 } from '../../../src/model/canonical.ts';
import type { ImageRequest } from '../../../src/model/request.ts';
import type { TargetName } from '../../../src/model/target.ts';
import { blobKey, type Objects, stagingKey } from '../../../src/ports/objects.ts';
import { createAttester } from '../../../src/publish/attest.ts';
import { collectedPrefixes } from '../../../src/publish/collect/plan.ts';
import { findRoots } from '../../../src/publish/collect/roots.ts';
import { readCurrent, readPackages } from '../../../src/publish/manifest.ts';
import { patienceOf } from '../../../src/roles/collector.ts';
import { readResult, requestDigest, resultKey, storeRequest, storeResult } from '../../../src/roles/effects.ts';
import { buildImage, type ImageBuilderPorts } from '../../../src/roles/image-builder.ts';
import { createPublisher } from '../../../src/roles/publisher.ts';
import { createManualClock, type ManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryObjects, type MemoryObjects } from '../../fakes/memory-objects.ts';
import { crashAt } from '../../support/crashing-objects.ts';
import { testLog } from '../../support/log.ts';
import { makePackage } from '../../support/package-trees.ts';
import { createTestImageSigner, createTestSigner } from '../../support/test-signer.ts';
import { publishRequestOf } from '../../support/verdicts.ts';
import { damageOf } from '../../support/whole-store.ts';

const day = 86_400_000;
const target: TargetName = 'x86_64-gnu';
const signer = createTestSigner('box');
const imageSigner = createTestImageSigner();
const options = { keepGenerations: 2, keepVersions: 2 };
const patience = patienceOf({ collect: { intervalHours: 24, unusedDays: 7, logDays: 30, imageDays: 30 } });
const origins = ['alpha', 'beta'] as const;
const nobody = { builds: [], inputs: [], logs: [] };
/** Versions of each of the two recipes. */
const versions = 4;

/** Everything that a build leaves, by number; each was built with the package of the one before. */
const built: {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly addition: Addition;
  readonly buildKey: string;
}[] = [];
type Addition = { readonly key: string; readonly artifact: BuildResult['artifacts'][number] };
for (let i = 0; i < origins.length * versions; i += 1) {
  const name = origins[i % origins.length] ?? 'alpha';
  const version = `${1 + Math.floor(i / origins.length)}-r0`;
  const { artifact, bytes } = await makePackage({ name, version, nodes: { 'usr/share/x': `${name} ${version}` } });
  const before = built.at(-1);
  const request = {
    schema: 1,
    package: name,
    version: version.replace(/-r0$/, ''),
    epoch: 0,
    target,
    engine: 'host',
    engineVersion: 2,
    recipe: { path: `${name}.yaml`, text: 'package: {}\n' },
    pipelines: {},
    files: {},
    environment: {
      host: [],
      packages:
        before === undefined
          ? []
          : [
              {
                name: before.addition.artifact.info.name,
                version: before.addition.artifact.info.version,
                checksum: before.addition.artifact.checksum,
                key: before.addition.key,
                digest: before.addition.artifact.digest,
              },
            ],
    },
    testEnvironments: {},
    recorded: { commit: 'c'.repeat(40), sourceDateEpoch: 1_700_000_000 },
  } satisfies BuildRequest;
  const inputs = Buffer.from(canonicalJson(request));
  const buildKey = sha256(`${name} ${version}`);
  const result = {
    schema: 1,
    buildKey,
    request: sha256(inputs),
    outcome: 'passed',
    artifacts: [artifact],
    tests: [],
    log: stagingKey(buildKey, 'log'),
    milliseconds: 1,
    builder: 'one',
  } satisfies BuildResult;
  const key = stagingKey(buildKey, `${name}-${version}.apk`);
  const files = new Map<string, Uint8Array>([
    [key, bytes],
    [stagingKey(buildKey, 'log'), Buffer.from('built\n')],
    [`inputs/${sha256(inputs)}.json`, inputs],
    [stagingKey(buildKey, 'result.json'), Buffer.from(JSON.stringify(result))],
  ]);
  built.push({ files, addition: { key, artifact }, buildKey });
}

const which = integer({ min: 0, max: built.length - 1 });
const crash = option(record({ at: integer({ min: 1, max: 60 }), when: constantFrom('before', 'after') }), {
  freq: 2,
  nil: undefined,
});
const step = oneof(
  record({ publish: which, crash }),
  record({ publish: which, crash }),
  record({ withdraw: which, crash }),
  record({ back: integer({ min: 1, max: 3 }), crash }),
  record({ undo: boolean(), crash }),
  record({ makeImage: constantFrom(...origins), forget: constantFrom(false, false, false, true) }),
  record({ makeImage: constantFrom(...origins), forget: constantFrom(false) }),
  record({ publishImage: constantFrom(...origins), crash }),
  record({ publishImage: constantFrom(...origins), crash }),
  record({ collect: integer({ min: 0, max: 40 }), crash }),
  record({ collect: integer({ min: 0, max: 40 }), crash }),
);
type Step = typeof step extends { generate: (...args: never[]) => { readonly value: infer T } } ? T : never;

interface Store {
  readonly objects: MemoryObjects;
  readonly clock: ManualClock;
  /** The newest build of each image: keys of its request and the effect of its result. */
  readonly images: Map<string, { readonly image: string; readonly result: string }>;
  slot: number;
}

async function publisherOn(objects: Objects, { clock }: Store) {
  return createPublisher({
    objects,
    queues: { enqueue: async () => '' } as unknown as Queues,
    keys: { signer, trusted: [signer], retired: [] },
    imageSigner,
    clock,
    options,
    patience,
    attest: createAttester({
      objects,
      signer,
      repository: undefined,
      distribution: { namespace: 'box', name: 'Box' },
      builderId: 'urn:box',
    }),
    verify: async () => [],
  });
}

const jobContext = { signal: new AbortController().signal, log: testLog('silent').log } as unknown as JobContext;

/** What a builder leaves, as the conductor has it built where it is not there. */
async function build(store: Store, number: number): Promise<void> {
  const { objects } = store;
  const before = built[number - 1]?.addition.key;
  if (before !== undefined && !(await objects.has(before))) await build(store, number - 1);
  for (const [key, bytes] of built[number]?.files ?? []) if (!(await objects.has(key))) await objects.put(key, bytes);
}

/** A builder makes an image of the newest published version; it finds some blobs there, and some not. */
async function makeImage(store: Store, name: string, forget: boolean): Promise<void> {
  const { objects, clock, images } = store;
  if (forget) return void images.delete(name);
  const current = (await readCurrent(objects))?.generation;
  const packages = current === undefined ? [] : await readPackages(objects, current, target);
  const artifact = packages.filter(({ info }) => info.name === name).at(-1);
  if (artifact === undefined) return;
  const { info, checksum, digest } = artifact;
  const request: ImageRequest = {
    kind: 'image',
    name,
    tag: 'latest',
    definition: { path: `${name}.yaml`, text: `contents: {packages: [${name}]}\n` },
    platforms: [
      {
        target,
        packages: [{ name, version: info.version, origin: info.origin, checksum, key: blobKey(digest), digest }],
      },
    ],
    sourceDateEpoch: 1_700_000_000,
    keys: [],
  };
  const image = await storeRequest(objects, request);
  const effect = `image-${requestDigest(image)}`;
  images.set(name, { image, result: effect });
  if ((await readResult(objects, effect, 'image-built')) !== undefined) return;
  const limits = { arch: 'x86_64', timeout: 1000, outputLimit: 1000, processLimit: 1 } as const;
  const ports = { objects } as unknown as ImageBuilderPorts;
  const made = await buildImage(request, ports, limits, new AbortController().signal);
  await storeResult(objects, { kind: 'image-built', effect, at: clock.now().toISOString(), name, ...made });
}

/** The job that a publisher does for a step; undefined where there is nothing to do. */
async function jobOf(store: Store, one: Step) {
  const { objects, clock, images } = store;
  const slot = store.slot;
  if ('publish' in one) {
    await build(store, one.publish);
    const add = [built[one.publish]?.addition].filter((addition) => addition !== undefined);
    const request = await storeRequest(objects, publishRequestOf(add, signer));
    return (publisher: Handlers) => publisher.publish?.({ request, attempt: 1 }, jobContext);
  }
  if ('withdraw' in one) {
    const { name, version } = built[one.withdraw]?.addition.artifact.info ?? { name: '', version: '' };
    return (publisher: Handlers) => publisher.withdraw?.({ name, version, reason: 'x', force: true, slot }, jobContext);
  }
  if ('back' in one) {
    const to = ((await readCurrent(objects))?.generation.generation ?? 0) - one.back;
    return to < 1 ? undefined : (publisher: Handlers) => publisher.rollback?.({ to, slot }, jobContext);
  }
  if ('undo' in one) return (publisher: Handlers) => publisher.rollback?.({ slot }, jobContext);
  if ('publishImage' in one) {
    const image = images.get(one.publishImage);
    if (image === undefined) return undefined;
    const request = await storeRequest(objects, { kind: 'image-publish', ...image, vulnerabilities: [] });
    // It was asked before, perhaps; done again, it finds out what is there now.
    await objects.remove(resultKey(`publish-image-${requestDigest(request)}`));
    return (publisher: Handlers) => publisher['publish-image']?.({ request, attempt: 1 }, jobContext);
  }
  if ('collect' in one) {
    clock.advance(one.collect * day);
    const at = clock.now().toISOString();
    const request = await storeRequest(objects, { kind: 'collect', at, dry: false, ...nobody });
    return (publisher: Handlers) => publisher.collect?.({ request, attempt: 1 }, jobContext);
  }
  return undefined;
}

type Handlers = Awaited<ReturnType<typeof createPublisher>>;
type Job = (publisher: Handlers) => Promise<void> | void | undefined;
type Mortal = Exclude<Step, { makeImage: unknown }>;

/** Does a step, with a publisher that may die in it; the next one does the job to its end. */
async function take(store: Store, one: Step): Promise<void> {
  store.slot += 1;
  store.clock.advance(1000);
  if ('makeImage' in one) return makeImage(store, one.makeImage, one.forget);
  const job = await jobOf(store, one);
  if (job === undefined) return;
  expect(await damageAfterDeath(store, one, job), `killed in ${JSON.stringify(one)}`).toEqual([]);
  try {
    await job(await publisherOn(store.objects, store));
  } catch (thrown) {
    // What was asked may be collected before it was done, when a publisher died; it is asked again.
    if (!String(thrown).includes('is not a request to')) throw thrown;
  }
}

/** What is wrong after a publisher died in a job; nothing where it is not to die. */
async function damageAfterDeath(store: Store, { crash: death }: Mortal, job: Job): Promise<readonly string[]> {
  if (death === undefined) return [];
  const mortal = crashAt(store.objects, death.at, death.when === 'after' ? 'after' : 'before');
  try {
    await job(await publisherOn(mortal, store));
  } catch (thrown) {
    if (!mortal.crashed()) throw thrown;
  }
  return damageOf(store.objects);
}

async function unusedOf(objects: Objects): Promise<readonly string[]> {
  const listing = new Set<string>();
  for (const prefix of collectedPrefixes) for (const key of await objects.list(prefix)) listing.add(key);
  const { kept } = await findRoots(objects, listing, nobody, () => false);
  return [...listing].filter((key) => !kept.has(key));
}

test('whatever is published, withdrawn, gone back to, made an image of and collected, killed at any time: what is kept is whole, and what is not goes', async () => {
  const seen = { removed: 0, images: 0, generations: 0 };
  await assert(
    asyncProperty(array(step, { minLength: 20, maxLength: 40, size: 'max' }), async (steps) => {
      const clock = createManualClock('2026-06-01T09:00:00.000Z');
      const store: Store = { objects: createMemoryObjects(), clock, images: new Map(), slot: 0 };
      for (const one of steps) {
        await take(store, one);
        expect(await damageOf(store.objects), JSON.stringify(one)).toEqual([]);
      }
      const { objects } = store;
      seen.removed += objects.calls.filter((call) => call.startsWith('remove blobs/')).length;
      seen.images += (await objects.list('images/attached/')).length;
      seen.generations += (await readCurrent(objects))?.generation.generation ?? 0;
      for (let i = 0; i < 5; i += 1) await take(store, { collect: 40, crash: undefined });
      expect(await damageOf(objects)).toEqual([]);
      // The last collection leaves its own request and result.
      const unused = (await unusedOf(objects)).filter((key) => !/^(requests|results\/collect-)/.test(key));
      expect(unused).toEqual([]);
    }),
    { numRuns: 40 },
  );
  process.stderr.write(`${JSON.stringify(seen)}\n`);
  expect(seen.removed).toBeGreaterThan(40);
  expect(seen.images).toBeGreaterThan(5);
}, 240_000);
