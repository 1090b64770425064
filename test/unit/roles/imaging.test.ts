import { expect, test } from 'vitest';
import type { JobPayload, JobType } from '../../../src/jobs/catalogue.ts';
import type { Queues } from '../../../src/jobs/queues.ts';
import type { ImageEngineChoice } from '../../../src/model/image-definition.ts';
import { openBook } from '../../../src/roles/conductor/book.ts';
import type { ConductorContext } from '../../../src/roles/conductor/context.ts';
import { updateImages } from '../../../src/roles/conductor/imaging.ts';
import type { World } from '../../../src/roles/conductor/world.ts';
import { readRequest, requestDigest, storeResult } from '../../../src/roles/effects.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';
import { testLog } from '../../support/log.ts';
import { artifactOf } from '../../support/packages.ts';

const target = 'x86_64-gnu';
const plain = 'contents: {packages: [tool]}\nentrypoint: {command: /usr/bin/tool}\n';
const bundle = 'contents: {packages: [tool]}\nentrypoint: {type: service-bundle, services: {web: /usr/bin/tool}}\n';

/** The images of a distribution of two packages, one of which is the supervisor of services. */
async function start(imageEngine: ImageEngineChoice, images: Readonly<Record<string, string>>) {
  const clock = createManualClock('2026-06-01T09:00:00.000Z');
  const objects = createMemoryObjects();
  const { log } = testLog('silent');
  const jobs: JobPayload<'image'>[] = [];
  const queues = {
    find: async (_: JobType, { attempt }: JobPayload<'image'>) =>
      jobs.some((job) => job.attempt === attempt) ? 'completed' : undefined,
    async enqueue(type: JobType, payload: JobPayload<'image'>) {
      if (type === 'image') jobs.push(payload);
      return '';
    },
    forget: async () => {},
  } as unknown as Queues;
  const settings = { targets: [target], imageEngine: () => imageEngine, push: [] };
  const book = await openBook(createMemoryLedger(), clock);
  const context = { book, objects, queues, clock, log, settings } as unknown as ConductorContext;
  const published = [artifactOf({ name: 'tool', version: '1-r0' }), artifactOf({ name: 's6', version: '2-r0' })];
  const world = {
    tree: { images: Object.entries(images).map(([path, text]) => ({ path, text })), recipes: new Map() },
    published: new Map([[target, published]]),
    images: { schema: 1, images: [] },
    problems: new Map(),
  } as unknown as World;
  const facts = { keys: [], advisories: { byId: new Map() }, main: { builds: [], waits: [] } } as never;
  return {
    clock,
    jobs,
    objects,
    world,
    async round() {
      world.problems.clear();
      await updateImages(context, world, facts);
      return [...world.problems.values()].map(({ name, code, message, remedy }) => ({ name, code, message, remedy }));
    },
    request: async (job: JobPayload<'image'> | undefined) => readRequest(objects, job?.request ?? '', 'image'),
  };
}

test('an engine is asked for where it is not the own assembler: requests of before stay what they are', async () => {
  const own = await start('auto', { 'images/plain.yaml': plain });
  await own.round();
  expect(await own.request(own.jobs[0])).not.toHaveProperty('engine');
  const apko = await start('apko', { 'images/plain.yaml': plain });
  await apko.round();
  expect(await apko.request(apko.jobs[0])).toMatchObject({ engine: 'apko' });
});

test('a service bundle is for apko, with its supervisor; without apko that is a problem with a remedy', async () => {
  const auto = await start('auto', { 'images/web.yaml': bundle });
  expect(await auto.round()).toEqual([]);
  const request = await auto.request(auto.jobs[0]);
  expect(request.engine).toBe('apko');
  expect(request.platforms[0]?.packages.map(({ name }) => name)).toEqual(['s6', 'tool']);
  const own = await start('regrow', { 'images/web.yaml': bundle });
  expect(await own.round()).toEqual([
    {
      name: 'web',
      code: 'image.invalid',
      message: expect.stringContaining('supervisor'),
      remedy: expect.stringContaining('images.engine'),
    },
  ]);
  expect(own.jobs).toEqual([]);
});

test('a builder that lacks apko is a problem, and is asked again after a while; what an image lacks is not', async () => {
  for (const [code, again] of [
    ['tool.missing', true],
    ['image.invalid', false],
  ] as const) {
    const { clock, jobs, objects, round } = await start('apko', { 'images/plain.yaml': plain });
    await round();
    const effect = `image-${requestDigest(jobs[0]?.request ?? '')}`;
    const failure = { class: 'package' as const, code, message: 'it lacks something', tail: [] };
    const result = { kind: 'image-built', effect, at: clock.now().toISOString(), name: 'plain' } as const;
    await storeResult(objects, { ...result, blobs: [], platforms: [], failure });
    expect(await round()).toMatchObject([{ name: 'plain:latest', code, message: 'it lacks something' }]);
    clock.advance(5 * 60_000);
    await round();
    expect(jobs).toHaveLength(1);
    clock.advance(6 * 60_000);
    expect(await round()).toMatchObject([{ code }]);
    expect(jobs.map(({ attempt }) => attempt)).toEqual(again ? [1, 2] : [1]);
  }
});
