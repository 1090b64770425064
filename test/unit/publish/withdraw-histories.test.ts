import { array, assert, asyncProperty, integer, oneof, record } from 'fast-check';
import { expect, it } from 'vitest';
import { RegrowError } from '../../../src/errors.ts';
import { readIndex, verifyIndexSignature } from '../../../src/formats/apk-index.ts';
import type { Generation } from '../../../src/model/publication.ts';
import { blobKey, type Objects, stagingKey } from '../../../src/ports/objects.ts';
import { type PublishPorts, publishGeneration } from '../../../src/publish/generation.ts';
import { readCurrent, readPackages } from '../../../src/publish/manifest.ts';
import { createRepositoryMemory } from '../../../src/publish/memory.ts';
import { rollBack, undoRollback, withdraw } from '../../../src/publish/withdraw.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';
import { makePackage } from '../../support/package-trees.ts';
import { createTestSigner } from '../../support/test-signer.ts';

const target = 'x86_64-gnu';
const signer = createTestSigner('box');
const keys = [{ name: signer.keyName, publicKey: signer.publicKey }];
const options = { keepGenerations: 3, keepVersions: 2 };
const origins = ['alpha', 'beta'] as const;
const versions = 4;

/** Every version of every recipe as builders left it, by number. */
const built = await Promise.all(
  Array.from({ length: origins.length * versions }, async (_, i) => {
    const name = origins[i % origins.length] ?? 'alpha';
    const version = `${1 + Math.floor(i / origins.length)}-r0`;
    const { artifact, bytes } = await makePackage({ name, version, nodes: { 'usr/share/x': `${name} ${version}` } });
    return { bytes, addition: { key: stagingKey(`${name}-${version}`, `${name}-${version}.apk`), artifact } };
  }),
);

const which = integer({ min: 0, max: built.length - 1 });
const step = oneof(
  record({ publish: which }),
  record({ publish: which }),
  record({ withdraw: which }),
  record({ back: integer({ min: 1, max: 4 }) }),
  record({ undo: integer({ min: 0, max: 0 }) }),
);

async function current(objects: Objects): Promise<Generation | undefined> {
  return (await readCurrent(objects))?.generation;
}

/** What machines find, `ORIGIN VERSION`; every package of it is there. */
async function served(objects: Objects, generation: Generation): Promise<readonly string[]> {
  const index = await objects.get(blobKey(generation.targets[target]?.index ?? ''));
  verifyIndexSignature(index?.bytes ?? new Uint8Array(), keys);
  for (const { digest } of await readPackages(objects, generation, target)) {
    expect(await objects.has(blobKey(digest))).toBe(true);
  }
  return readIndex(index?.bytes ?? new Uint8Array()).entries.map(({ info }) => `${info.origin} ${info.version}`);
}

/** The code of the refusal, where it was one. */
async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (thrown) {
    if (thrown instanceof RegrowError) return thrown.code;
    throw thrown;
  }
}

type Step = { publish: number } | { withdraw: number } | { back: number } | { undo: number };
type Code = string | undefined;

/** Does one step; gives the code of its refusal and those that it may have. `gone`: what was withdrawn for good. */
async function take(
  ports: PublishPorts,
  one: Step,
  before: Generation | undefined,
  gone: Set<string>,
): Promise<{ readonly code: Code; readonly allowed: readonly Code[] }> {
  const maybe: readonly Code[] = [undefined, 'request.not-found'];
  if ('back' in one) {
    const goal = (before?.generation ?? 0) - one.back;
    return { code: await codeOf(rollBack(ports, goal, 1, options)), allowed: maybe };
  }
  if ('undo' in one) return { code: await codeOf(undoRollback(ports, 1, options)), allowed: maybe };
  const addition = built['publish' in one ? one.publish : one.withdraw]?.addition;
  if (addition === undefined) throw new Error('there is no such build');
  const { name, version } = addition.artifact.info;
  if ('publish' in one) {
    const isOut = before?.withdrawn?.some((out) => out.origin === name && out.version === version) === true;
    const code = await codeOf(publishGeneration(ports, { add: [addition], token: 1 }, options));
    return { code, allowed: [isOut ? 'package.withdrawn' : undefined] };
  }
  const code = await codeOf(withdraw(ports, { name, version, reason: 'x', force: true }, 1, options));
  if (code === undefined) gone.add(`${name} ${version}`);
  return { code, allowed: maybe };
}

it('whatever is published, withdrawn and gone back to: what is withdrawn is not there, and never comes back', async () => {
  await assert(
    asyncProperty(array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
      const objects = createMemoryObjects();
      const clock = createManualClock('2026-11-24T12:00:00.000Z');
      const ports = { objects, signer, clock, memory: createRepositoryMemory() };
      for (const { addition, bytes } of built) await objects.put(addition.key, bytes);
      const gone = new Set<string>();
      for (const one of steps) {
        clock.advance(1000);
        const { code, allowed } = await take(ports, one, await current(objects), gone);
        expect(allowed).toContain(code);
        const after = await current(objects);
        if (after === undefined) continue;
        const withdrawn = after.withdrawn ?? [];
        const labels = (some: typeof withdrawn) => some.map(({ origin, version }) => `${origin} ${version}`);
        const there = await served(objects, after);
        expect(there.filter((label) => labels(withdrawn).includes(label))).toEqual([]);
        expect(new Set(labels(withdrawn)).size).toBe(withdrawn.length);
        expect(new Set(labels(withdrawn.filter((out) => out.rolledBackTo === undefined)))).toEqual(gone);
      }
    }),
    { numRuns: 40 },
  );
}, 60_000);
