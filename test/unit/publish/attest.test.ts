import { expect, it } from 'vitest';
import type { BuildRequest, BuildResult } from '../../../src/model/build.ts';
import { canonicalJson, sha256 } from '../../../src/model/canonical.ts';
import { blobKey, stagingKey } from '../../../src/ports/objects.ts';
import { createAttester } from '../../../src/publish/attest.ts';
import { signStaged } from '../../../src/publish/signing.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';
import { readProvenance } from '../../support/independent/provenance.ts';
import { makePackage } from '../../support/package-trees.ts';
import { createTestSigner } from '../../support/test-signer.ts';

const signer = createTestSigner('box');
const keys = new Map([[signer.keyName, signer.publicKey]]);
const commit = 'c'.repeat(40);
const sources = [
  { kind: 'git', repository: 'https://github.com/acme/tool.git', tag: 'v1.0.0', commit: 'a'.repeat(40) },
  { kind: 'archive', url: 'https://example.org/data.tar.gz', sha256: 'b'.repeat(64) },
] as const;
const environment = { name: 'busybox', version: '1.37.0-r0', checksum: 'Q1x', key: 'k', digest: 'd'.repeat(64) };
const request: BuildRequest = {
  schema: 1,
  package: 'tool',
  version: '1.0.0',
  epoch: 0,
  target: 'x86_64-gnu',
  engine: 'host',
  engineVersion: 2,
  recipe: { path: 'tool.yaml', text: 'package: {}\n' },
  pipelines: {},
  files: {},
  environment: { host: ['gcc'], packages: [environment] },
  testEnvironments: {},
  recorded: { commit, sourceDateEpoch: 1_700_000_000 },
};

/** A store with a built package, as a builder and the conductor leave it, and what attests it. */
async function built(change: Partial<BuildResult> = {}) {
  const objects = createMemoryObjects();
  const { artifact, bytes } = await makePackage({ name: 'tool' });
  const inputs = Buffer.from(canonicalJson(request));
  await objects.put(`inputs/${sha256(inputs)}.json`, inputs);
  const result: BuildResult = {
    schema: 1,
    buildKey: 'key',
    request: sha256(inputs),
    outcome: 'passed',
    artifacts: [artifact],
    tests: [],
    log: 'staging/key/log',
    startedAt: '2026-06-01T09:00:00.000Z',
    milliseconds: 1500,
    builder: 'host',
    sources: [...sources],
    ...change,
  };
  await objects.put(stagingKey('key', 'result.json'), Buffer.from(JSON.stringify(result)));
  const addition = { key: stagingKey('key', 'tool-1.0.0-r0.apk'), artifact };
  const signed = signStaged(artifact, bytes, signer).artifact;
  const attest = createAttester({
    objects,
    signer,
    repository: 'https://github.com/acme/os',
    distribution: { namespace: 'box', name: 'Box' },
    builderId: 'https://packages.example.com/#builder',
  });
  return {
    objects,
    addition,
    signed,
    attest: (asked?: string) => attest({ ...addition, request: asked }, signed),
    inputs: `inputs/${sha256(inputs)}.json`,
    request: sha256(inputs),
  };
}

it('says of a package what it was built from, who built it and when, signed as openssl verifies', async () => {
  const { objects, signed, attest } = await built();
  const digest = (await attest()) ?? '';
  const text = Buffer.from((await objects.get(blobKey(digest)))?.bytes ?? []).toString();
  const { subject, predicate } = readProvenance(text, keys);
  expect(subject).toEqual([{ name: 'tool-1.0.0-r0.apk', digest: { sha256: signed.digest } }]);
  expect(predicate.buildDefinition).toMatchObject({
    externalParameters: {
      repository: 'https://github.com/acme/os',
      recipe: 'tool.yaml',
      package: 'tool',
      target: 'x86_64-gnu',
    },
    internalParameters: { engineVersion: 2, buildKey: 'key', sourceDateEpoch: 1_700_000_000, hostTools: ['gcc'] },
    resolvedDependencies: [
      { name: 'tool.yaml', uri: `git+https://github.com/acme/os@${commit}`, digest: { gitCommit: commit } },
      { uri: 'git+https://github.com/acme/tool.git@refs/tags/v1.0.0', digest: { gitCommit: 'a'.repeat(40) } },
      { uri: 'https://example.org/data.tar.gz', digest: { sha256: 'b'.repeat(64) } },
      {
        name: 'busybox-1.37.0-r0.apk',
        uri: 'pkg:apk/box/busybox@1.37.0-r0?arch=x86_64&distro=box',
        digest: { sha256: 'd'.repeat(64) },
      },
    ],
  });
  expect(predicate.runDetails).toEqual({
    builder: { id: 'https://packages.example.com/#builder', version: { engine: 'host 2' } },
    metadata: {
      invocationId: 'key',
      startedOn: '2026-06-01T09:00:00.000Z',
      finishedOn: '2026-06-01T09:00:01.500Z',
    },
  });
});

it('is the same bytes for the same build, so that a publication that is repeated changes nothing', async () => {
  const [one, two] = [await built(), await built()];
  expect(await one.attest()).toBe(await two.attest());
  expect(await one.attest()).toBe(await one.attest());
});

it('is not there where the build left no account of itself, or nobody kept what it was given', async () => {
  const { objects, attest, inputs } = await built();
  await objects.remove(inputs);
  expect(await attest()).toBeUndefined();
  await objects.remove(stagingKey('key', 'result.json'));
  expect(await attest()).toBeUndefined();
});

it('is refused where the account is of another package, or what the build was given is something else', async () => {
  const other = await built({ artifacts: [] });
  await expect(other.attest()).rejects.toMatchObject({ code: 'package.malformed' });
  const { objects, attest, inputs, request: asked } = await built();
  expect(await attest(asked)).toBeDefined();
  // A builder that names what another package, or another commit, was built from.
  await expect(attest('f'.repeat(64))).rejects.toMatchObject({
    code: 'package.malformed',
    message: expect.stringContaining(`is of the request ${asked}, not of ffff`),
  });
  await objects.put(inputs, Buffer.from('{}'));
  await expect(attest()).rejects.toMatchObject({ code: 'package.malformed' });
});
