import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createExec } from '../../../src/adapters/exec.ts';
import { createSandbox } from '../../../src/adapters/sandbox.ts';
import { createWorkspaces } from '../../../src/adapters/workspace.ts';
import { createThrowAwayKey } from '../../../src/build/melange/throw-away-key.ts';
import { sha256 } from '../../../src/model/canonical.ts';
import type { ImageRequest } from '../../../src/model/request.ts';
import { blobKey } from '../../../src/ports/objects.ts';
import type { Sandbox } from '../../../src/ports/sandbox.ts';
import type { Workspaces } from '../../../src/ports/workspace.ts';
import { readStoredImage } from '../../../src/publish/image/read.ts';
import { buildImage } from '../../../src/roles/image-builder.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';
import { apkFile } from '../../support/apk-file.ts';
import { engineOrSkip } from '../../support/engines.ts';

/** A request for two architectures, its packages in the store. */
async function start(exitCode = 0, printed = 'it runs\n') {
  const objects = createMemoryObjects();
  const platforms: ImageRequest['platforms'] = [];
  for (const target of ['x86_64-gnu', 'aarch64-gnu'] as const) {
    const bytes = await apkFile(
      'tool-1-r0',
      { 'usr/bin/tool': { text: target, mode: 0o755 } },
      { arch: target.split('-')[0] ?? '' },
    );
    const digest = sha256(bytes);
    await objects.put(blobKey(digest), bytes);
    const named = { name: 'tool', version: '1-r0', origin: 'tool', checksum: '', key: blobKey(digest), digest };
    platforms.push({ target, packages: [named] });
  }
  const request: ImageRequest = {
    kind: 'image',
    name: 'tool',
    tag: 'latest',
    definition: { path: 'tool.yaml', text: 'contents: {packages: [tool]}\nentrypoint: {command: /usr/bin/tool}\n' },
    platforms,
    sourceDateEpoch: 1,
    keys: [],
  };
  const ran: string[] = [];
  let unpacked = '';
  const workspace = {
    makeDirectory: async () => {},
    async unpack(_: string, entries: Iterable<{ path: string; content?: Uint8Array }>) {
      for (const { path, content } of entries)
        if (path === 'usr/bin/tool') unpacked = Buffer.from(content ?? '').toString();
    },
    path: () => '/root',
    dispose: async () => {},
  };
  const workspaces = { create: async () => workspace } as unknown as Workspaces;
  const sandbox: Sandbox = {
    async run({ onOutput }) {
      ran.push(unpacked);
      onOutput?.(Buffer.from(printed));
      return exitCode;
    },
    probe: async () => {},
  };
  const apko = async () => ({ program: undefined, signer: () => Promise.reject(new Error('no key is made')) });
  const limits = { arch: 'x86_64', timeout: 1000, outputLimit: 1000, processLimit: 10 } as const;
  const build = (change: Partial<ImageRequest> = {}) =>
    buildImage({ ...request, ...change }, { objects, sandbox, workspaces, apko }, limits, new AbortController().signal);
  return { objects, ran, build, request, limits };
}

test('one index has every architecture; what this machine can run is run, the rest is only made', async () => {
  const { objects, ran, build } = await start();
  const built = await build();
  expect(ran).toEqual(['x86_64-gnu']);
  expect(built.platforms.map(({ target, output }) => [target, output])).toEqual([
    ['x86_64-gnu', 'it runs\n'],
    ['aarch64-gnu', ''],
  ]);
  const { platforms } = await readStoredImage(objects, 'tool:latest', built.index ?? '');
  expect(platforms.map(({ descriptor }) => descriptor.platform.architecture)).toEqual(['amd64', 'arm64']);
  expect((await build()).index).toBe(built.index);
});

test('an image whose program fails here is no image', async () => {
  const { build } = await start(3);
  await expect(build()).rejects.toMatchObject({ code: 'image.failed' });
});

test('what lies in the place of a blob and is none of it is replaced: nobody could ever publish the image otherwise', async () => {
  const [one, other] = [await start(), await start()];
  const { blobs } = await one.build();
  for (const hex of blobs) await other.objects.put(blobKey(hex), Buffer.from('half of a bl'));
  await other.build();
  for (const hex of blobs) expect(sha256((await other.objects.get(blobKey(hex)))?.bytes ?? '')).toBe(hex);
});

test('of what an image prints not more is kept than one would look at', async () => {
  const { build } = await start(0, 'all work\n'.repeat(10_000));
  const [ran] = (await build()).platforms;
  expect(ran?.output.length).toBeLessThan(17_000);
  expect(ran?.output).toMatch(/^all work\n[^]*\[…\]\n$/);
});

test('an image for apko is not made by anything else', async () => {
  const { build, ran } = await start();
  await expect(build({ engine: 'apko' })).rejects.toMatchObject({ code: 'tool.missing', retry: 'never' });
  expect(ran).toEqual([]);
});

const program = await engineOrSkip('apko');

test.skipIf(program === undefined)('a service bundle is made, and not run: it would never end', async () => {
  const { objects, request, limits } = await start();
  const directory = mkdtempSync(join(tmpdir(), 'regrow-bundle-'));
  try {
    const exec = createExec();
    const real = createSandbox({ exec });
    const ran: (string | undefined)[] = [];
    const sandbox: Sandbox = {
      ...real,
      run(run) {
        ran.push(run.argv[1]);
        return real.run(run);
      },
    };
    const ports = {
      objects,
      sandbox,
      workspaces: createWorkspaces({ directory, exec }),
      apko: async () => ({ program, signer: createThrowAwayKey }),
    };
    const text = 'contents: {packages: [tool]}\nentrypoint: {type: service-bundle, services: {web: /usr/bin/tool}}\n';
    const platforms: ImageRequest['platforms'] = [];
    for (const platform of request.platforms) {
      const bytes = await apkFile('s6-1-r0', { 'bin/s6-svscan': 's6' }, { arch: platform.target.split('-')[0] ?? '' });
      const digest = sha256(bytes);
      await objects.put(blobKey(digest), bytes);
      const named = { name: 's6', version: '1-r0', origin: 's6', checksum: '', key: blobKey(digest), digest };
      platforms.push({ ...platform, packages: [...platform.packages, named] });
    }
    const bundle: ImageRequest = { ...request, engine: 'apko', definition: { path: 'tool.yaml', text }, platforms };
    const built = await buildImage(
      bundle,
      ports,
      { ...limits, timeout: 60_000, processLimit: 1024, outputLimit: 1024 ** 2 },
      new AbortController().signal,
    );
    expect(ran).toEqual(['lock', 'build', 'lock', 'build']);
    expect(built.platforms.map(({ output }) => output)).toEqual(['', '']);
    const stored = await readStoredImage(objects, 'tool:latest', built.index ?? '');
    expect(stored.platforms.map(({ descriptor }) => descriptor.platform.architecture)).toEqual(['amd64', 'arm64']);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
