import { beforeEach, describe, expect, test } from 'vitest';
import { signDsse } from '../../../src/formats/dsse.ts';
import type { Queues } from '../../../src/jobs/queues.ts';
import type { JobContext } from '../../../src/jobs/worker.ts';
import { canonicalJson } from '../../../src/model/canonical.ts';
import type { PublishRequest, VerifyRequest } from '../../../src/model/request.ts';
import type { Verdict } from '../../../src/model/verdict.ts';
import { stagingKey } from '../../../src/ports/objects.ts';
import type { RepositoryKeys, Signer } from '../../../src/ports/signer.ts';
import { readResult, requestDigest, storeRequest } from '../../../src/roles/effects.ts';
import { createPublisher } from '../../../src/roles/publisher.ts';
import { sealVerdicts, verdictDigest } from '../../../src/roles/sealing.ts';
import type { Verify } from '../../../src/roles/verifier.ts';
import { gateSetVersion } from '../../../src/verify/verify.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryObjects, type MemoryObjects } from '../../fakes/memory-objects.ts';
import { testLog } from '../../support/log.ts';
import { makePackage, type SamplePackage } from '../../support/package-trees.ts';
import { createTestImageSigner, createTestSigner } from '../../support/test-signer.ts';
import { publishRequestOf } from '../../support/verdicts.ts';

const signer = createTestSigner('box');
const young = createTestSigner('box-2');
const foreign = createTestSigner('box');
const imageSigner = createTestImageSigner();
const code = 'verify.verdict-unproven';
const at = '2026-06-01T09:00:00.000Z';
const onlyOne: RepositoryKeys = { signer, trusted: [signer], retired: [] };

let objects: MemoryObjects;
let good: PublishRequest['add'][number];
let bad: readonly [PublishRequest['add'][number], PublishRequest['add'][number]];
const { log, lines } = testLog('warn');
beforeEach(async () => {
  lines.length = 0;
  objects = createMemoryObjects();
  good = await addition({ name: 'good', nodes: { 'usr/share/good': 'x' } }, 'key-good');
  const own = { input: { origin: 'bad' } };
  bad = [
    await addition({ ...own, name: 'bad', nodes: { 'usr/share/bad': 'x' } }, 'key-bad'),
    await addition({ ...own, name: 'bad-doc', nodes: { 'usr/share/bad-doc': 'x' } }, 'key-bad'),
  ];
});

async function addition(sample: SamplePackage, buildKey: string): Promise<PublishRequest['add'][number]> {
  const { artifact, bytes } = await makePackage(sample);
  const key = stagingKey(buildKey, `${artifact.info.name}-${artifact.info.version}.apk`);
  await objects.put(key, bytes);
  return { key, artifact, request: `inputs-of-${buildKey}` };
}

function publisher(keys = onlyOne, verify: Verify = async () => []) {
  return createPublisher({
    objects,
    queues: { enqueue: async () => '' } as unknown as Queues,
    imageSigner,
    keys,
    clock: createManualClock(at),
    options: {},
    verify,
  });
}

const context = { log, signal: new AbortController().signal } as unknown as JobContext;

async function publish(request: PublishRequest, keys = onlyOne) {
  const key = await storeRequest(objects, request);
  await (await publisher(keys)).publish?.({ request: key, attempt: 1 }, context);
  return readResult(objects, `publish-${requestDigest(key)}`, 'published');
}

/** The request for `good` and `bad`, with another verdict over `bad`. */
function changed(change: (verdict: Verdict) => Verdict | undefined, add = [good, ...bad]): PublishRequest {
  const request = publishRequestOf([good, ...bad], signer);
  const verdicts = request.verdicts?.flatMap((one) => (one.buildKey === 'key-bad' ? (change(one) ?? []) : one));
  return { ...request, add, ...(verdicts === undefined ? {} : { verdicts }) };
}

function sealed(verdict: Verdict, changes: Partial<Verdict>, by: Signer = signer): Verdict {
  const { buildKey, package: name, version, target = 'x86_64-gnu', request = '' } = { ...verdict, ...changes };
  const asked = { builds: [{ buildKey, package: name, version, target, request }] } as unknown as VerifyRequest;
  const [again] = sealVerdicts(asked, [{ ...verdict, ...changes, gateSet: gateSetVersion }], by);
  if (again === undefined) throw new Error('nothing was sealed');
  return again;
}

const failed = { passed: false, gates: [{ gate: 'datahash', outcome: 'failed' as const, because: 'no' }] };

const forgeries: readonly (readonly [string, string, () => PublishRequest])[] = [
  ['none', 'there is no verdict', () => changed(() => undefined)],
  ['one without a signature', 'no signature', () => changed((one) => ({ ...one, seal: undefined }))],
  ['one signed by somebody else', 'no signature', () => changed((one) => sealed(one, {}, foreign))],
  [
    'one that was changed',
    'no signature',
    () => changed((one) => ({ ...sealed(one, failed), ...one, gates: [], seal: sealed(one, failed).seal })),
  ],
  [
    'the signature of another',
    'no signature',
    () => changed((one) => ({ ...one, seal: sealed(one, { buildKey: 'key-good' }).seal })),
  ],
  ['no base64', 'no signature', () => changed((one) => ({ ...one, seal: '' }))],
  ['by other gates', 'no signature', () => changed((one) => ({ ...one, gateSet: gateSetVersion - 1 }))],
  ['of an older regrow', 'other gates', () => changed((one) => signed({ ...one, gateSet: gateSetVersion - 1 }))],
  ['one that holds it', 'did not pass', () => changed((one) => sealed(one, failed))],
  [
    'one that passed, with a gate that did not',
    'did not pass',
    () => changed((one) => sealed(one, { ...failed, passed: true })),
  ],
  ['of another target', 'another build', () => changed((one) => sealed(one, { target: 'x86_64-musl' }))],
  ['of other inputs', 'another build', () => changed((one) => sealed(one, { request: 'others' }))],
  ['of other packages', 'other packages', () => changed((one) => sealed(one, { artifacts: 'others' }))],
  ['without one of its packages', 'other packages', () => changed((one) => one, [good, bad[0]])],
  [
    'that lies elsewhere',
    'no build leaves',
    () => changed((one) => one, [good, bad[1], { ...bad[0], key: 'staging/key-bad/x/bad-1.0.0-r0.apk' }]),
  ],
];

/** Signed by the key, whatever it says. */
function signed(verdict: Verdict): Verdict {
  const { seal: _, ...said } = verdict;
  const type = 'application/vnd.regrow.verdict+json';
  const seal = signDsse(type, Buffer.from(canonicalJson(said)), [signer]).signatures[0]?.sig;
  return { ...said, seal };
}

describe('what is to be published on a verdict that is', () => {
  test.each(forgeries)(
    '%s: nothing of its build is signed; what else is to be published is',
    async (_, what, request) => {
      const result = await publish(request());
      expect(result?.failure).toBeUndefined();
      expect(result?.generation?.added).toEqual(['good-1.0.0-r0 x86_64-gnu']);
      expect(result?.refused).toMatchObject([{ package: 'bad', code }]);
      expect(result?.refused?.[0]?.message).toContain(what);
      // The package, its index and the list of packages.
      expect(await objects.list('blobs/')).toHaveLength(3);
      expect(lines).toMatchObject([{ code, buildKey: 'key-bad', package: 'bad' }]);
    },
  );

  test('false comes back by its digest, so that it is not believed again', async () => {
    const request = changed((one) => ({ ...one, seal: 'c2VhbA==' }));
    const verdict = request.verdicts?.find(({ buildKey }) => buildKey === 'key-bad');
    if (verdict === undefined) throw new Error('no verdict');
    expect((await publish(request))?.refused?.[0]?.doubted).toEqual([
      { buildKey: 'key-bad', verdict: verdictDigest(verdict) },
    ]);
  });

  test('asked for with a request that somebody changed: nothing is published', async () => {
    const key = await storeRequest(objects, publishRequestOf([good], signer));
    await objects.put(key, Buffer.from(JSON.stringify(publishRequestOf([good, ...bad], signer))));
    const handlers = await publisher();
    await expect(handlers.publish?.({ request: key, attempt: 1 }, context)).rejects.toMatchObject({ code: 'internal' });
    expect([await objects.has(key), await objects.list('blobs/')]).toEqual([false, []]);
  });
});

describe('after the keys have changed', () => {
  test('a verdict stands as long as the key that signed it is trusted, and not after that', async () => {
    const request = publishRequestOf([good], signer);
    const retired = await publish(request, { signer: young, trusted: [young], retired: ['box.rsa.pub'] });
    expect(retired?.refused).toMatchObject([{ package: 'good', code }]);
    expect(retired?.generation).toBeUndefined();
    const signing = { ...young, older: [signer] };
    const rotated = await publish(request, { signer: signing, trusted: [young, signer], retired: [] });
    expect(rotated?.generation?.added).toEqual(['good-1.0.0-r0 x86_64-gnu']);
  });

  test('one of the key that is next counts: another publisher may have begun with it', async () => {
    const request = publishRequestOf([good], young);
    const result = await publish(request, { signer, trusted: [signer, young], retired: [] });
    expect(result?.generation?.added).toEqual(['good-1.0.0-r0 x86_64-gnu']);
  });
});

describe('what the verifier says', () => {
  const verdict: Verdict = {
    buildKey: 'key-good',
    package: 'good',
    version: '1.0.0-r0',
    gateSet: gateSetVersion,
    passed: true,
    gates: [],
    at,
  };

  async function judge(...verdicts: readonly Verdict[]) {
    const asked: VerifyRequest = {
      kind: 'verify',
      generation: 0,
      purpose: 'main',
      packages: ['good'],
      builds: [
        {
          buildKey: 'key-good',
          attempt: 1,
          target: 'x86_64-gnu',
          package: 'good',
          version: '1.0.0-r0',
          makes: [],
          request: 'inputs-of-key-good',
        },
      ],
      findings: { before: [], after: [] },
    };
    const key = await storeRequest(objects, asked);
    const handlers = await publisher(onlyOne, async () => verdicts);
    await handlers.verify?.({ request: key, attempt: 1 }, context);
    return readResult(objects, `verify-${requestDigest(key)}`, 'verified');
  }

  test('is signed by the publisher, with the target and the inputs that it asked about', async () => {
    const result = await judge({ ...verdict, target: 'aarch64-musl', request: 'mine' });
    const [signed] = result?.verdicts ?? [];
    expect(signed).toMatchObject({ passed: true, target: 'x86_64-gnu', request: 'inputs-of-key-good' });
    expect(signed?.seal).toMatch(/^[A-Za-z0-9+/]{342}==$/);
  });

  test('of something else than it was asked is thrown away', async () => {
    const error = { code: 'internal', retry: 'later' };
    for (const answer of [
      [],
      [{ ...verdict, buildKey: 'key-bad' }],
      [verdict, { ...verdict, buildKey: 'key-bad' }],
      [verdict, verdict],
      [{ ...verdict, package: 'bad' }],
      [{ ...verdict, version: '9-r0' }],
      [{ ...verdict, gateSet: gateSetVersion - 1 }],
    ]) {
      await expect(judge(...answer)).rejects.toMatchObject(error);
    }
    expect(await objects.list('results/')).toEqual([]);
  });
});
