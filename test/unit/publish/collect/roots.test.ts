import { beforeEach, describe, expect, test } from 'vitest';
import { sha256 } from '../../../../src/model/canonical.ts';
import type { Generation } from '../../../../src/model/publication.ts';
import { blobKey, bundleKey, stagingKey } from '../../../../src/ports/objects.ts';
import { collectedPrefixes } from '../../../../src/publish/collect/plan.ts';
import { findRoots, type Roots, type Wanted } from '../../../../src/publish/collect/roots.ts';
import { currentKey, encodeJson } from '../../../../src/publish/manifest.ts';
import { createMemoryObjects, type MemoryObjects } from '../../../fakes/memory-objects.ts';
import { artifactOf } from '../../../support/packages.ts';

const nobody: Wanted = { builds: [], inputs: [], logs: [] };
let objects: MemoryObjects;
beforeEach(() => {
  objects = createMemoryObjects();
});

async function roots(wanted: Partial<Wanted> = {}, over: readonly string[] = []): Promise<Roots> {
  const listing = new Set<string>();
  for (const prefix of collectedPrefixes) for (const key of await objects.list(prefix)) listing.add(key);
  return findRoots(objects, listing, { ...nobody, ...wanted }, (key) => over.includes(key));
}

async function put(key: string, content: unknown): Promise<string> {
  await objects.put(key, Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)));
  return key;
}

/** Gives the digest. */
async function blob(content: unknown): Promise<string> {
  const bytes = Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
  await objects.put(blobKey(sha256(bytes)), bytes);
  return sha256(bytes);
}

async function publish(packages: readonly unknown[], change: Partial<Generation> = {}): Promise<string> {
  const list = await blob(packages);
  const generation: Generation = {
    schema: 1,
    generation: 1,
    token: 1,
    at: '2026-06-01T09:00:00.000Z',
    targets: { 'x86_64-gnu': { index: await blob('an index'), packages: list } },
    added: [],
    removed: [],
    ...change,
  };
  await objects.put(currentKey, encodeJson(generation));
  return list;
}

const envelope = (statement: unknown) => ({ payload: Buffer.from(JSON.stringify(statement)).toString('base64') });

/** A published package with all that it names. */
async function published(more: Record<string, unknown> = {}) {
  const tool = await blob('a package of the environment');
  const staged = await put('staging/other/lib-1-r0.apk', 'unsigned');
  const inputs = { packages: [{ digest: tool, key: blobKey(tool) }, { key: staged }] };
  const request = sha256(JSON.stringify(inputs));
  await put(`inputs/${request}.json`, inputs);
  const provenance = await blob(envelope({ request }));
  const digest = await blob('a package');
  const list = await publish([{ ...artifactOf({ name: 'tool', version: '1-r0' }), digest, provenance, ...more }]);
  return { digest, provenance, request, tool, staged, list };
}

describe('a generation keeps', () => {
  test('its packages, where they came from, what they were built from, and what was there when they were', async () => {
    const { digest, provenance, request, tool, staged, list } = await published();
    const { kept, missing } = await roots();
    for (const hex of [digest, provenance, list]) expect(kept.get(blobKey(hex))).toBe('generation');
    for (const key of [`inputs/${request}.json`, blobKey(tool), staged]) expect(kept.get(key)).toBe('inputs');
    expect(missing).toEqual([]);
  });

  test('whatever else a later version of regrow says of a package, and what that names', async () => {
    const inner = await blob('a log entry');
    const bundle = await blob({ messageDigest: inner });
    await published({ bundle: { digests: [bundle] } });
    const { kept } = await roots();
    expect(kept.has(blobKey(bundle))).toBe(true);
    expect(kept.has(blobKey(inner))).toBe(true);
  });

  test('all inputs, where it can no longer be told which', async () => {
    const { provenance, request } = await published();
    const strange = await put(`inputs/${'e'.repeat(64)}.json`, {});
    expect((await roots()).kept.has(strange)).toBe(false);
    await objects.put(blobKey(provenance), Buffer.from('damaged'));
    const { kept } = await roots();
    expect(kept.get(strange)).toBe('inputs');
    expect(kept.get(`inputs/${request}.json`)).toBe('inputs');
    await objects.remove(blobKey(provenance));
    const without = await roots();
    expect(without.kept.get(strange)).toBe('inputs');
    expect(without.missing).toEqual([blobKey(provenance)]);
  });

  test('what Sigstore certified of its packages', async () => {
    const { digest } = await published();
    const other = await blob('of a package that is gone');
    const [own, others] = [await put(bundleKey(digest), {}), await put(bundleKey(other), {})];
    const { kept } = await roots();
    expect(kept.get(own)).toBe('generation');
    expect(kept.has(others)).toBe(false);
  });

  test('nothing that could be told from the older ones alone', async () => {
    await published();
    const current = await objects.get(currentKey);
    await objects.put('repository/generations/1.json', current?.bytes ?? new Uint8Array());
    await objects.remove(currentKey);
    await expect(roots()).rejects.toMatchObject({ code: 'repository.corrupt' });
  });

  test('what is gone of it is said', async () => {
    const { digest } = await published();
    await objects.remove(blobKey(digest));
    expect((await roots()).missing).toEqual([blobKey(digest)]);
  });

  test.each(['damaged', undefined])('a list that is %s: nobody knows what is used', async (content) => {
    const { list } = await published();
    if (content === undefined) await objects.remove(blobKey(list));
    else await objects.put(blobKey(list), Buffer.from(content));
    await expect(roots()).rejects.toMatchObject({ code: 'repository.corrupt' });
  });
});

describe('a build', () => {
  beforeEach(async () => {
    await put(`inputs/${'1'.repeat(64)}.json`, {});
    await put(stagingKey('k', 'tool-2-r0.apk'), 'x');
    await put(stagingKey('k', 'log'), 'x');
    await put(stagingKey('k', 'result.json'), { request: '1'.repeat(64) });
    await put('results/build-k.1.json', {});
  });
  const own = ['staging/k/tool-2-r0.apk', 'staging/k/log', 'staging/k/result.json', `inputs/${'1'.repeat(64)}.json`];

  test('keeps nothing when nobody wants it', async () => {
    expect((await roots()).kept.size).toBe(0);
  });

  test('keeps all of itself, its result and its inputs while it is wanted', async () => {
    const { kept } = await roots({ builds: ['k'] });
    for (const key of [...own, 'results/build-k.1.json']) expect(kept.get(key)).toBe('build');
  });

  test('keeps all of itself while a rollback holds it back', async () => {
    const out = { origin: 'tool', version: '2-r0', reason: 'x', at: '2026-06-01T09:00:00.000Z' };
    await publish([], { withdrawn: [{ ...out, rolledBackTo: 1 }] });
    const { kept } = await roots();
    for (const key of own) expect(kept.get(key)).toBe('held-back');
    await publish([], { withdrawn: [out] });
    expect([...(await roots()).kept.values()].every((why) => why === 'generation')).toBe(true);
  });

  test('keeps its log while that is shown, and its inputs while they are asked for', async () => {
    expect([...(await roots({ logs: ['k'] })).kept]).toEqual([['staging/k/log', 'newest-log']]);
    expect([...(await roots({ inputs: ['1'.repeat(64)] })).kept.keys()]).toEqual([`inputs/${'1'.repeat(64)}.json`]);
  });
});

/** An image of one platform, signed; gives the digests of all that it consists of. */
async function image(text: string) {
  const layer = await blob(`layer ${text}`);
  const config = await blob({ config: text });
  const sbom = await blob({ sbom: text });
  const manifest = await blob({ config: `sha256:${config}`, layers: [`sha256:${layer}`] });
  const index = await blob({ manifests: [{ digest: `sha256:${manifest}`, annotations: { sbom: `sha256:${sbom}` } }] });
  const signatures: string[] = [];
  for (const subject of [manifest, index]) {
    const signed = await blob(`signature ${subject}`);
    const sig = await blob({ layers: [{ digest: `sha256:${signed}` }] });
    await put(`images/attached/${subject}.json`, { sig });
    signatures.push(signed, sig);
  }
  return { index, manifest, blobs: [layer, config, sbom, manifest, index], signatures };
}

async function tag(digest: string): Promise<void> {
  const one = { ref: 'tool:latest', digest: `sha256:${digest}`, generation: 1, at: '2026-06-01T09:00:00.000Z' };
  await put('images/current', { schema: 1, images: [{ ...one, platforms: [], vulnerabilities: [] }] });
}

const attachedTo = (hex: string) => `images/attached/${hex}.json`;

describe('an image', () => {
  test('with a tag keeps every layer, SBOM and signature, and the result that it came from', async () => {
    const { index, manifest, blobs, signatures } = await image('one');
    await tag(index);
    const result = await put(`results/image-${'9'.repeat(64)}.json`, { index, blobs });
    const request = await put(`requests/${'9'.repeat(64)}.json`, {});
    const { kept } = await roots();
    for (const hex of [...blobs, ...signatures]) expect(kept.get(blobKey(hex))).toBe('image');
    for (const key of [attachedTo(index), attachedTo(manifest), result, request]) expect(kept.get(key)).toBe('image');
  });

  test('without a tag can be pulled for as long as what says that it was signed is there', async () => {
    const { index, manifest, blobs, signatures } = await image('old');
    await tag((await image('new')).index);
    const { kept } = await roots();
    for (const hex of [...blobs, ...signatures]) expect(kept.get(blobKey(hex))).toBe('former-image');
    for (const subject of [index, manifest]) expect(kept.has(attachedTo(subject))).toBe(false);
    const later = await roots({}, [attachedTo(index), attachedTo(manifest)]);
    for (const hex of [...blobs, ...signatures]) expect(later.kept.has(blobKey(hex))).toBe(false);
  });

  test('that shares a platform with one that has a tag leaves that one whole', async () => {
    const { manifest, index: old } = await image('old');
    const again = await blob({ manifests: [{ digest: `sha256:${manifest}` }], again: true });
    await put(attachedTo(again), {});
    await tag(again);
    const { kept } = await roots({}, [attachedTo(old)]);
    for (const key of [blobKey(manifest), attachedTo(manifest), attachedTo(again)]) expect(kept.get(key)).toBe('image');
    expect(kept.has(blobKey(old))).toBe(false);
  });

  test('that a builder made is there until its result is old', async () => {
    const { blobs } = await image('one');
    for (const key of await objects.list('images/attached/')) await objects.remove(key);
    const result = await put(`results/image-${'9'.repeat(64)}.json`, { blobs });
    const { kept } = await roots();
    for (const hex of blobs) expect(kept.get(blobKey(hex))).toBe('built-image');
    expect(kept.has(result)).toBe(false);
  });

  test.each(['index', 'manifest'] as const)(
    'with a tag and without its %s: nobody knows what is used',
    async (which) => {
      const made = await image('one');
      await tag(made.index);
      await objects.remove(blobKey(made[which]));
      await expect(roots()).rejects.toMatchObject({ code: 'repository.corrupt' });
      await objects.put(blobKey(made[which]), Buffer.from('{"manifests":[]}'));
      await expect(roots()).rejects.toMatchObject({ code: 'repository.corrupt' });
      await put('images/current', 'damaged');
      await expect(roots()).rejects.toMatchObject({ code: 'repository.corrupt' });
    },
  );
});
