import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createFsObjects } from '../../src/adapters/objects/fs.ts';
import type { Objects } from '../../src/ports/objects.ts';
import { createMemoryObjects } from '../fakes/memory-objects.ts';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

async function inFolder(): Promise<Objects> {
  const folder = mkdtempSync(join(tmpdir(), 'regrow-objects-'));
  folders.push(folder);
  return createFsObjects(folder);
}

const bytes = (text: string): Buffer => Buffer.from(text);

async function textOf(objects: Objects, key: string): Promise<string | undefined> {
  const object = await objects.get(key);
  return object === undefined ? undefined : Buffer.from(object.bytes).toString();
}

describe.each([
  ['a folder', inFolder],
  ['memory', async () => createMemoryObjects()],
])('objects in %s', (_, create) => {
  it('are what was put last', async () => {
    const objects = await create();
    await objects.put('a/b.json', bytes('one'));
    await objects.put('a/b.json', bytes('two'));
    expect(await textOf(objects, 'a/b.json')).toBe('two');
    expect(await objects.has('a/b.json')).toBe(true);
  });

  it('are undefined where there is none, also below another object', async () => {
    const objects = await create();
    await objects.put('a', bytes('x'));
    expect(await objects.get('b')).toBeUndefined();
    expect(await objects.get('a/b')).toBeUndefined();
    expect(await objects.has('b')).toBe(false);
    expect(await objects.stream('b')).toBeUndefined();
    await objects.remove('b');
  });

  it('stream with their size', async () => {
    const objects = await create();
    const content = Buffer.alloc(300_000, 'regrow');
    await objects.put('large', content);
    const stream = await objects.stream('large');
    const chunks: Uint8Array[] = [];
    for await (const chunk of stream?.body ?? []) chunks.push(chunk);
    expect(stream?.size).toBe(content.length);
    expect(Buffer.compare(Buffer.concat(chunks), content)).toBe(0);
  });

  it('are listed by prefix, sorted, without half a name being a folder', async () => {
    const objects = await create();
    for (const key of ['s/2', 's/1', 's/10/x', 'sx', 't/1']) await objects.put(key, bytes(key));
    expect(await objects.list('s/')).toEqual(['s/1', 's/10/x', 's/2']);
    expect(await objects.list('s')).toEqual(['s/1', 's/10/x', 's/2', 'sx']);
    expect(await objects.list('s/1')).toEqual(['s/1', 's/10/x']);
    expect(await objects.list('')).toEqual(['s/1', 's/10/x', 's/2', 'sx', 't/1']);
    expect(await objects.list('none/')).toEqual([]);
  });

  it('are gone when removed', async () => {
    const objects = await create();
    await objects.put('a/b', bytes('x'));
    await objects.remove('a/b');
    expect(await objects.list('')).toEqual([]);
  });

  it('swap only when they are what was expected', async () => {
    const objects = await create();
    expect(await objects.swap('p', bytes('1'), undefined)).toBe(true);
    expect(await objects.swap('p', bytes('2'), undefined)).toBe(false);
    const etag = (await objects.get('p'))?.etag;
    expect(await objects.swap('p', bytes('2'), 'something else')).toBe(false);
    expect(await objects.swap('p', bytes('2'), etag)).toBe(true);
    expect(await objects.swap('p', bytes('3'), etag)).toBe(false);
    expect(await textOf(objects, 'p')).toBe('2');
  });

  it('swap and go only while what guards them is as it was', async () => {
    const objects = await create();
    await objects.swap('guard', bytes('1'), undefined);
    const guard = { key: 'guard', etag: (await objects.get('guard'))?.etag };
    expect(await objects.swap('p', bytes('1'), undefined, guard)).toBe(true);
    await objects.put('x', bytes('x'));
    expect(await objects.remove('x', guard)).toBe(true);
    expect(await objects.remove('x', guard)).toBe(true);
    await objects.put('x', bytes('x'));
    await objects.swap('guard', bytes('2'), guard.etag);
    const etag = (await objects.get('p'))?.etag;
    expect(await objects.swap('p', bytes('2'), etag, guard)).toBe(false);
    expect(await objects.remove('x', guard)).toBe(false);
    expect(await objects.has('x')).toBe(true);
    expect(await objects.remove('x', { key: 'none', etag: undefined })).toBe(true);
    expect(await textOf(objects, 'p')).toBe('1');
  });

  it('let exactly one of many swaps win', async () => {
    const objects = await create();
    const tries = Array.from({ length: 12 }, (_, i) => objects.swap('p', bytes(`winner ${i}`), undefined));
    const won = await Promise.all(tries);
    expect(won.filter(Boolean)).toHaveLength(1);
    expect(await textOf(objects, 'p')).toBe(`winner ${won.indexOf(true)}`);
  });
});
