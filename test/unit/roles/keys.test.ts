import { expect, test } from 'vitest';
import type { Queues } from '../../../src/jobs/queues.ts';
import type { Generation } from '../../../src/model/publication.ts';
import { blobKey, stagingKey } from '../../../src/ports/objects.ts';
import type { RepositoryKeys } from '../../../src/ports/signer.ts';
import { publishGeneration } from '../../../src/publish/generation.ts';
import { readCurrent } from '../../../src/publish/manifest.ts';
import { publicKeysPrefix } from '../../../src/roles/keys.ts';
import { createPublisher } from '../../../src/roles/publisher.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryObjects, type MemoryObjects } from '../../fakes/memory-objects.ts';
import { readIndexFile } from '../../support/independent/index-file.ts';
import { opensslVerifies } from '../../support/independent/signature.ts';
import { makePackage } from '../../support/package-trees.ts';
import { createTestImageSigner, createTestSigner } from '../../support/test-signer.ts';

const clock = createManualClock('2026-06-01T09:00:00.000Z');
const old = createTestSigner('box');
const young = createTestSigner('box-2');
const imageSigner = createTestImageSigner();

async function start(objects: MemoryObjects, keys: RepositoryKeys): Promise<void> {
  const queues = { enqueue: async () => '' } as unknown as Queues;
  await createPublisher({ objects, queues, keys, imageSigner, clock, options: {}, verify: async () => [] });
}

async function newest(objects: MemoryObjects): Promise<Generation> {
  const current = await readCurrent(objects);
  if (current === undefined) throw new Error('nothing is published');
  return current.generation;
}

/** Which keys signed the index of now, as openssl verifies. */
async function signersOf(objects: MemoryObjects): Promise<readonly string[]> {
  const { index = '' } = (await newest(objects)).targets['x86_64-gnu'] ?? {};
  const bytes = (await objects.get(blobKey(index)))?.bytes ?? Buffer.alloc(0);
  return readIndexFile(Buffer.from(bytes)).signatures.map((signature) => {
    const signer = [old, young].find(({ keyName }) => keyName === signature.key);
    expect(opensslVerifies(signature, signer?.publicKey ?? '')).toBe(true);
    return signature.key;
  });
}

async function published(): Promise<MemoryObjects> {
  const objects = createMemoryObjects();
  const { artifact, bytes } = await makePackage({ name: 'tool' });
  const key = stagingKey('k', 'tool-1.0.0-r0.apk');
  await objects.put(key, bytes);
  await publishGeneration({ objects, signer: old, clock }, { add: [{ key, artifact }], token: 1 });
  return objects;
}

test('a publisher with a new key signs the index again beside the old key, and lays out both public keys', async () => {
  const objects = await published();
  const before = await newest(objects);
  await start(objects, { signer: { ...young, older: [old] }, trusted: [young, old], retired: [] });
  expect(await signersOf(objects)).toEqual(['box-2.rsa.pub', 'box.rsa.pub']);
  const after = await newest(objects);
  expect(after).toMatchObject({ generation: 2, parent: 1, added: [], removed: [] });
  expect(after.targets['x86_64-gnu']?.packages).toBe(before.targets['x86_64-gnu']?.packages);
  expect(await objects.list(publicKeysPrefix)).toEqual([
    `${publicKeysPrefix}box-2.rsa.pub`,
    `${publicKeysPrefix}box.rsa.pub`,
  ]);
});

test('one that starts again with the same keys publishes nothing', async () => {
  const objects = await published();
  await start(objects, { signer: old, trusted: [old], retired: [] });
  expect((await newest(objects)).generation).toBe(1);
});

test('a key that was lost and made anew under its old name signs the index again', async () => {
  const objects = await published();
  const anew = createTestSigner('box');
  await start(objects, { signer: anew, trusted: [anew], retired: [] });
  const { index = '' } = (await newest(objects)).targets['x86_64-gnu'] ?? {};
  const [signature] = readIndexFile(Buffer.from((await objects.get(blobKey(index)))?.bytes ?? [])).signatures;
  if (signature === undefined) throw new Error('the index is not signed');
  expect([opensslVerifies(signature, anew.publicKey), opensslVerifies(signature, old.publicKey)]).toEqual([
    true,
    false,
  ]);
});

test('a retired key signs no index, and is laid out no more', async () => {
  const objects = await published();
  await start(objects, { signer: { ...young, older: [old] }, trusted: [young, old], retired: [] });
  await start(objects, { signer: young, trusted: [young], retired: ['box.rsa.pub'] });
  expect(await signersOf(objects)).toEqual(['box-2.rsa.pub']);
  expect(await objects.list(publicKeysPrefix)).toEqual([`${publicKeysPrefix}box-2.rsa.pub`]);
  expect((await newest(objects)).generation).toBe(3);
});
