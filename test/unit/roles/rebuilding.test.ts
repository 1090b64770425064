import { beforeEach, describe, expect, test } from 'vitest';
import type { Queues } from '../../../src/jobs/queues.ts';
import type { JobContext } from '../../../src/jobs/worker.ts';
import type { BuildRequest, BuildResult } from '../../../src/model/build.ts';
import { canonicalJson, sha256 } from '../../../src/model/canonical.ts';
import type { PublishRequest } from '../../../src/model/request.ts';
import { blobKey, type Objects, stagingKey } from '../../../src/ports/objects.ts';
import { createAttester } from '../../../src/publish/attest.ts';
import { storeRequest } from '../../../src/roles/effects.ts';
import { findPublishedBuilds, type PublishedName } from '../../../src/roles/published-build.ts';
import { createPublisher } from '../../../src/roles/publisher.ts';
import { type RebuildPorts, rebuild } from '../../../src/roles/rebuilding.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';
import { makePackage, type SamplePackage } from '../../support/package-trees.ts';
import { createTestImageSigner, createTestSigner } from '../../support/test-signer.ts';
import { publishRequestOf } from '../../support/verdicts.ts';

const signer = createTestSigner('box');
const imageSigner = createTestImageSigner();
const at = '2026-06-01T09:00:00.000Z';
const target = 'x86_64-gnu';
const never = new AbortController().signal;

let objects: Objects;
let ledger: ReturnType<typeof createMemoryLedger>;
beforeEach(() => {
  objects = createMemoryObjects();
  ledger = createMemoryLedger();
});

const tool: SamplePackage = { name: 'tool', nodes: { 'usr/bin/tool': 'one' } };
const toolDoc: SamplePackage = { name: 'tool-doc', nodes: { 'usr/share/doc': 'text' }, input: { origin: 'tool' } };

function requestFor(name: string, environment: BuildRequest['environment']['packages'] = []): BuildRequest {
  return {
    schema: 1,
    package: name,
    version: '1.0.0',
    epoch: 0,
    target,
    engine: 'host',
    engineVersion: 2,
    recipe: { path: `${name}.yaml`, text: 'package: {}\n' },
    pipelines: {},
    files: {},
    environment: { host: [], packages: environment },
    testEnvironments: {},
    recorded: { commit: 'c'.repeat(40), sourceDateEpoch: 1_700_000_000 },
  };
}

/** What a builder leaves of samples under a key. */
async function leave(
  store: Objects,
  names: { readonly buildKey: string; readonly request: string },
  samples: readonly SamplePackage[],
): Promise<BuildResult> {
  const made = await Promise.all(samples.map(makePackage));
  for (const { artifact, bytes } of made) {
    await store.put(stagingKey(names.buildKey, `${artifact.info.name}-${artifact.info.version}.apk`), bytes);
  }
  const result: BuildResult = {
    schema: 1,
    ...names,
    outcome: 'passed',
    artifacts: made.map(({ artifact }) => artifact),
    tests: [],
    log: stagingKey(names.buildKey, 'log'),
    milliseconds: 1000,
    builder: 'test',
  };
  await store.put(stagingKey(names.buildKey, 'result.json'), Buffer.from(JSON.stringify(result)));
  return result;
}

interface Publishing {
  readonly environment?: BuildRequest['environment']['packages'];
  readonly attested?: boolean;
}

/** Builds and publishes samples of one recipe, as the daemon would. */
async function publish(samples: readonly SamplePackage[], { environment, attested = true }: Publishing = {}) {
  const request = requestFor(samples[0]?.name ?? '', environment);
  const inputs = Buffer.from(canonicalJson(request));
  const names = { buildKey: `key-${request.package}`, request: sha256(inputs) };
  await objects.put(`inputs/${names.request}.json`, inputs);
  const result = await leave(objects, names, samples);
  const add: PublishRequest['add'] = result.artifacts.map((artifact) => ({
    key: stagingKey(names.buildKey, `${artifact.info.name}-${artifact.info.version}.apk`),
    artifact,
  }));
  const facts = { repository: undefined, distribution: { namespace: 'box', name: 'Box' }, builderId: 'urn:regrow:box' };
  const handlers = await createPublisher({
    objects,
    queues: { enqueue: async () => '' } as unknown as Queues,
    imageSigner,
    keys: { signer, trusted: [signer], retired: [] },
    clock: createManualClock(at),
    options: {},
    verify: async () => [],
    ...(attested ? { attest: createAttester({ objects, signer, ...facts }) } : {}),
  });
  const key = await storeRequest(objects, publishRequestOf(add, signer));
  await handlers.publish?.({ request: key, attempt: 1 }, {} as JobContext);
  return { request: names.request, result };
}

function ports(samples: readonly SamplePackage[], more: Partial<RebuildPorts> = {}): RebuildPorts {
  return {
    objects,
    ledger,
    arches: ['x86_64'],
    engines: { host: 2 },
    run: (_request, names) => leave(objects, names, samples),
    ...more,
  };
}

async function verify(asked: PublishedName, samples: readonly SamplePackage[], more: Partial<RebuildPorts> = {}) {
  const [build] = await findPublishedBuilds(objects, asked);
  if (build === undefined) throw new Error('nothing was found');
  return rebuild(ports(samples, more), build, never);
}

describe('what is published, built again from its own recorded inputs', () => {
  test('is the same, by the name of the recipe and of any of its packages', async () => {
    const { request } = await publish([tool, toolDoc]);
    for (const name of ['tool', 'tool-doc']) {
      const rebuilt = await verify({ name }, [tool, toolDoc]);
      expect(rebuilt).toMatchObject({ package: 'tool', version: '1.0.0-r0', target, request, same: true });
      expect(rebuilt.packages.map((one) => [one.name, one.differences.length, one.checksum === one.rebuilt])).toEqual([
        ['tool', 0, true],
        ['tool-doc', 0, true],
      ]);
    }
  });

  test('differs: which file of which package; a package that is not made any more too', async () => {
    await publish([tool, toolDoc]);
    const { same, packages } = await verify({ name: 'tool' }, [{ ...tool, nodes: { 'usr/bin/tool': 'two' } }]);
    expect(same).toBe(false);
    expect(packages.map(({ name, differences }) => [name, differences[0]?.text])).toEqual([
      ['tool', 'differs in line 1: “one” and “two”'],
      ['tool-doc', 'is only in what is published'],
    ]);
  });

  test('fails to build: neither the same nor different', async () => {
    await publish([tool]);
    const failure = { class: 'package' as const, code: 'build.step-failed', message: 'exit code 1', tail: ['gcc: x'] };
    const rebuilt = await verify({ name: 'tool' }, [], {
      run: async (_request, names) => ({ ...(await leave(objects, names, [])), outcome: 'failed', failure }),
    });
    expect(rebuilt).toMatchObject({ same: undefined, packages: [], failure });
  });

  test('is found in the ledger where there is no provenance', async () => {
    const { request, result } = await publish([tool], { attested: false });
    const gone = { code: 'verify.inputs-gone', message: expect.stringContaining('has no provenance') };
    await expect(verify({ name: 'tool' }, [tool])).rejects.toMatchObject(gone);
    await expect(verify({ name: 'tool' }, [tool], { ledger: undefined })).rejects.toMatchObject(gone);
    const attempt = {
      buildKey: 'key-tool',
      attempt: 1,
      package: 'tool',
      version: '1.0.0-r0',
      target,
      request,
      state: 'passed',
      purpose: 'main',
      why: '',
      urgency: 'normal',
      queuedAt: at,
      result,
    } as const;
    await ledger.put('build', 'key-tool.1', attempt, at, 'tool');
    expect(await verify({ name: 'tool' }, [tool])).toMatchObject({ request, same: true });
  });

  test('uses what it was built with from where that is published now, and says so when it is gone', async () => {
    const library = await publish([{ name: 'lib' }]);
    const [artifact] = library.result.artifacts;
    if (artifact === undefined) throw new Error('nothing was built');
    const key = stagingKey('key-lib', 'lib-1.0.0-r0.apk');
    const { checksum, digest } = artifact;
    await publish([tool], { environment: [{ name: 'lib', version: '1.0.0-r0', checksum, key, digest }] });
    const used: BuildRequest[] = [];
    const run: RebuildPorts['run'] = (request, names) => {
      used.push(request);
      return leave(objects, names, [tool]);
    };
    await verify({ name: 'tool' }, [tool], { run });
    expect(used.at(-1)?.environment.packages).toMatchObject([{ key }]);
    await objects.remove(key);
    await verify({ name: 'tool' }, [tool], { run });
    const [moved] = used.at(-1)?.environment.packages ?? [];
    expect(moved).toMatchObject({ name: 'lib', checksum, key: blobKey(moved?.digest ?? '') });
    expect(moved?.digest).not.toBe(digest);
    const [broken, ...others] = [{ name: 'lib', version: '2.0-r0', checksum: 'Q1gone', key, digest }];
    expect(others).toEqual([]);
    await publish([{ name: 'late' }], { environment: broken === undefined ? [] : [broken] });
    await expect(verify({ name: 'late' }, [])).rejects.toMatchObject({
      code: 'verify.inputs-gone',
      message: expect.stringContaining('lib 2.0-r0, which it was built with, is no longer in the object store'),
    });
  });

  test('cannot be built: inputs gone, another engine, another machine, a name that is not published', async () => {
    const { request } = await publish([tool]);
    await expect(verify({ name: 'tool' }, [], { engines: { host: 3 } })).rejects.toMatchObject({
      code: 'verify.engine-other',
      message:
        'tool 1.0.0-r0 for x86_64-gnu was built by version 2 of the host engine, and this regrow has version 3 of it',
    });
    await expect(verify({ name: 'tool' }, [], { engines: {} })).rejects.toMatchObject({ code: 'verify.engine-other' });
    await expect(verify({ name: 'tool' }, [], { arches: ['aarch64'] })).rejects.toMatchObject({ code: 'tool.missing' });
    await expect(verify({ name: 'tool', version: '9-r0' }, [])).rejects.toMatchObject({
      code: 'request.not-found',
      message: 'tool 9-r0 is not published; published are 1.0.0-r0',
    });
    await expect(verify({ name: 'tool', target: 'x86_64-musl' }, [])).rejects.toMatchObject({
      code: 'request.not-found',
    });
    await objects.remove(`inputs/${request}.json`);
    await expect(verify({ name: 'tool' }, [])).rejects.toMatchObject({
      code: 'verify.inputs-gone',
      message: expect.stringContaining(`its build request, inputs/${request}.json, is no longer in the object store`),
    });
  });
});

test('nothing is published', async () => {
  await expect(findPublishedBuilds(objects, { name: 'tool' })).rejects.toMatchObject({ code: 'request.not-found' });
});
