import { describe, expect, test } from 'vitest';
import { RegrowError } from '../../../../src/errors.ts';
import { readApk } from '../../../../src/formats/apk.ts';
import { gzipMember } from '../../../../src/formats/gzip.ts';
import { digestHex, ociBlob, ociConfig, ociIndex, ociManifest, ociMediaTypes } from '../../../../src/formats/oci.ts';
import { writeTar } from '../../../../src/formats/tar.ts';
import { readImageFile } from '../../../../src/model/image-definition.ts';
import type { SandboxRun } from '../../../../src/ports/sandbox.ts';
import type { Workspaces } from '../../../../src/ports/workspace.ts';
import { buildWithApko } from '../../../../src/publish/image/apko/build.ts';
import { apkoConfiguration, snapshotPath } from '../../../../src/publish/image/apko/configuration.ts';
import { readApkoLayout } from '../../../../src/publish/image/apko/layout.ts';
import { checkLock } from '../../../../src/publish/image/apko/lock-file.ts';
import { apkFile } from '../../../support/apk-file.ts';
import { createTestSigner } from '../../../support/test-signer.ts';

const signer = createTestSigner();

describe('the configuration that apko is given', () => {
  const configure = (text: string) => JSON.parse(apkoConfiguration(readImageFile('i.yaml', text), ['a=1-r0'], 'armv7'));

  test('has every package pinned, one architecture, and no repository that apko would ask', () => {
    expect(
      configure(`contents:
  packages: [a, "cmd:b"]
  repositories: [https://a.test/os]
  build_repositories: [https://b.test/os]
  runtime_repositories: [https://c.test/os, https://a.test/os]
  keyring: [https://a.test/key]
archs: [x86_64, arm/v7]
`),
    ).toEqual({
      contents: { packages: ['a=1-r0'], runtime_repositories: ['https://a.test/os', 'https://c.test/os'] },
      archs: ['arm/v7'],
    });
  });

  test('has all that apko knows, and nothing that says nothing', () => {
    expect(
      configure(`contents: {packages: [a], runtime_keyring: [{name: k.rsa.pub, content: PEM}]}
entrypoint: {type: service-bundle, services: {web: /usr/bin/web -x}}
cmd: ""
accounts: {run-as: web, users: [{username: web, uid: 65532}]}
environment: {A: }
paths: [{path: /data, type: directory, permissions: 0o2775, recursive: true}]
certificates: {additional: [{name: own, content: PEM}]}
layering: {strategy: origin, budget: 3}
volumes: [/data]
format: tar
stop-signal: SIGINT
unknown: x
`),
    ).toEqual({
      contents: {
        packages: ['a=1-r0'],
        runtime_repositories: ['# no repository'],
        runtime_keyring: [{ name: 'k.rsa.pub', content: 'PEM' }],
      },
      entrypoint: { type: 'service-bundle', services: { web: '/usr/bin/web -x' } },
      cmd: '',
      accounts: { 'run-as': 'web', users: [{ username: 'web', uid: 65532 }] },
      environment: { A: '' },
      paths: [{ path: '/data', type: 'directory', permissions: 0o2775, recursive: true }],
      certificates: { additional: [{ name: 'own', content: 'PEM' }] },
      layering: { strategy: 'origin', budget: 3 },
      volumes: ['/data'],
      'stop-signal': 'SIGINT',
      archs: ['arm/v7'],
    });
  });

  test('a repository is looked for under the name that apko has for i386', () => {
    expect(snapshotPath('i386/a-1-r0.apk')).toBe('x86/a-1-r0.apk');
    expect(snapshotPath('x86_64/APKINDEX.tar.gz')).toBe('x86_64/APKINDEX.tar.gz');
  });
});

describe('what apko locked', () => {
  const lock = (...packages: object[]) => JSON.stringify({ version: 'v1', contents: { keyring: [], packages } });

  test('is what regrow solved, to the byte; otherwise each difference is said', async () => {
    const packages = [readApk(await apkFile('a-1-r0', {})), readApk(await apkFile('b-2-r0', {}))];
    const [a, b] = packages.map(({ info, checksum }) => ({ name: info.name, version: info.version, checksum }));
    checkLock('i:latest', lock(b ?? {}, a ?? {}), packages);
    for (const [text, said] of [
      [lock(a ?? {}), 'leaves out b-2-r0'],
      [lock(a ?? {}, b ?? {}, { ...a, name: 'c' }), 'adds c-1-r0'],
      [lock(a ?? {}, { ...b, checksum: 'Q1x' }), 'adds b-2-r0 (Q1x), it leaves out b-2-r0'],
      ['{}', 'cannot be read'],
      ['<html>', 'cannot be read'],
    ] as const) {
      expect(() => checkLock('i:latest', text, packages)).toThrow(
        expect.objectContaining({ code: 'image.invalid', message: expect.stringContaining(said) }),
      );
    }
  });
});

/** An OCI layout as apko writes one, with the index itself in index.json; two layers. */
function layoutFiles(change: Partial<Record<'platform' | 'layer', object>> = {}) {
  const file = (path: string, text: string) => ({
    path,
    type: 'file' as const,
    mode: 0o644,
    content: Buffer.from(text),
  });
  const layerOf = (...files: ReturnType<typeof file>[]) => {
    const tar = writeTar(files, { mtime: 1, end: true });
    return { ...ociBlob(ociMediaTypes.layer, gzipMember(tar)), diffId: 'sha256:00', comment: 'apko' };
  };
  const lower = layerOf(file('etc/hello', 'old'), file('usr/hello', 'usr'));
  const layers = [lower, layerOf(file('etc/hello', 'new'))];
  const process = { User: '65532', Env: ['PATH=/usr/bin'], Entrypoint: ['/usr/hello'], Labels: { a: 'b' } };
  const image = { platform: { os: 'linux', architecture: 'amd64' }, process, layers, annotations: {}, created: 1 };
  const config = ociConfig(image);
  const manifest = ociManifest(image, config);
  const index = ociIndex([{ ...manifest.descriptor, ...change.platform }]);
  const files = new Map([['index.json', index.bytes]]);
  for (const { descriptor, bytes } of [...layers, config, manifest])
    files.set(`blobs/sha256/${digestHex(descriptor)}`, bytes);
  return { files, manifest, lower };
}

async function read(files: ReadonlyMap<string, Uint8Array>) {
  return readApkoLayout('i:latest', async (path) => files.get(path) ?? Promise.reject(new Error(`no ${path}`)));
}

describe('what apko built', () => {
  test('is read from its layout: manifest, process, blobs, and the layers over each other', async () => {
    const { files, manifest } = layoutFiles();
    const image = await read(files);
    expect(image.manifest).toEqual(manifest.descriptor);
    expect(image.process).toEqual({ User: '65532', Env: ['PATH=/usr/bin'], Entrypoint: ['/usr/hello'] });
    expect(image.blobs.size).toBe(files.size - 1);
    const texts = [...image.root.values()].map(({ path, content }) => `${path} ${Buffer.from(content ?? '')}`);
    expect(texts).toEqual(['etc/hello new', 'usr/hello usr']);
  });

  test('is refused where a blob is another one, or the layout is no image', async () => {
    const { files, lower } = layoutFiles();
    const damaged = new Map(files).set(`blobs/sha256/${digestHex(lower.descriptor)}`, Buffer.from('x'));
    for (const wrong of [
      damaged,
      new Map(files).set('index.json', Buffer.from('{}')),
      new Map(files).set('index.json', Buffer.from('<')),
      layoutFiles({ platform: { mediaType: 'application/vnd.docker.distribution.manifest.v2+json' } }).files,
    ])
      await expect(read(wrong)).rejects.toMatchObject({ code: 'image.invalid' });
  });
});

/** A build on a sandbox that does as apko would: it leaves a lock file, then a layout. */
async function start(
  options: {
    readonly exit?: number;
    readonly fails?: Error;
    readonly says?: string;
    readonly program?: string | undefined;
  } = {},
) {
  const bytes = await apkFile('a-1-r0', { 'usr/hello': 'usr' });
  const { info, checksum } = readApk(bytes);
  const written = new Map<string, Uint8Array>();
  const runs: SandboxRun[] = [];
  let disposed = 0;
  const workspace = {
    path: (relative: string) => `/ws/${relative}`,
    makeDirectory: async () => {},
    unpack: async () => {},
    async write(path: string, content: Uint8Array | string) {
      written.set(path, Buffer.from(content));
    },
    read: async (path: string) => written.get(path) ?? Promise.reject(new Error(`no ${path}`)),
    dispose: async () => {
      disposed += 1;
    },
  };
  const workspaces = { create: async () => workspace } as unknown as Workspaces;
  const sandbox = {
    async run(run: SandboxRun) {
      runs.push(run);
      run.onOutput?.(Buffer.from(options.says ?? ''));
      if (options.fails !== undefined) throw options.fails;
      const lock = { contents: { packages: [{ name: info.name, version: info.version, checksum }] } };
      if (run.argv[1] === 'lock') written.set('work/lock.json', Buffer.from(JSON.stringify(lock)));
      else for (const [path, content] of layoutFiles().files) written.set(`work/layout/${path}`, content);
      return options.exit ?? 0;
    },
    probe: async () => {},
  };
  const program = 'program' in options ? options.program : '/opt/engines/apko-1.2';
  const build = () =>
    buildWithApko(
      {
        name: 'i',
        tag: 'latest',
        file: { path: 'i.yaml', text: 'contents: {packages: [a]}' },
        target: { arch: 'x86_64', libc: 'gnu' },
        packages: [bytes],
        keys: [{ name: 'box.rsa.pub', pem: 'PEM\n' }],
        sourceDateEpoch: 77,
      },
      { sandbox, workspaces, program, signer: async () => signer },
      { timeout: 1000, outputLimit: 1000, processLimit: 10 },
      new AbortController().signal,
    );
  return { build, runs, written, disposed: () => disposed };
}

describe('a build with apko', () => {
  test('locks against a repository of its own, then builds what was locked, without a host file but the program', async () => {
    const { build, runs, written, disposed } = await start();
    const image = await build();
    expect(image.packages).toEqual([{ name: 'a', version: '1-r0', origin: 'a' }]);
    expect([...image.blobs.keys()]).toContain(digestHex(image.sbom));
    expect(image.entries.map(({ path }) => path)).toEqual(['etc/hello', 'usr/hello']);
    expect([...written.keys()].filter((path) => path.startsWith('input/')).toSorted()).toEqual([
      'input/image.yaml',
      'input/keys/box.rsa.pub',
      `input/repository/x86_64/APKINDEX.tar.gz`,
      'input/repository/x86_64/a-1-r0.apk',
      `input/snapshot/${signer.keyName}`,
    ]);
    const [lock, made] = runs.map(({ argv }) => argv.join(' '));
    expect(lock).toMatch(/^\/engine\/apko-1\.2 lock \/input\/image\.yaml .*--keyring-append \/input\/snapshot\//);
    expect(made).toContain('build /input/image.yaml i:latest /work/layout/ --lockfile /work/lock.json');
    expect(made).toContain('--keyring-append /input/keys/box.rsa.pub');
    expect(made).not.toContain('snapshot');
    for (const { binds, env } of runs) {
      expect(binds?.map(({ from, to, writable = false }) => [from, to, writable])).toEqual([
        ['/opt/engines', '/engine', false],
        ['/ws/input', '/input', false],
        ['/ws/work', '/work', true],
      ]);
      expect(env).toMatchObject({ SOURCE_DATE_EPOCH: '77' });
    }
    expect(disposed()).toBe(1);
  });

  test('that apko refuses says what apko said, and leaves nothing', async () => {
    const says = 'INFO loading\n\u001b[31mError:\u001b[0m mutating path "/x": file already exists\n  twice\n';
    const { build, disposed } = await start({ exit: 1, says });
    await expect(build()).rejects.toMatchObject({
      code: 'image.invalid',
      message: 'apko lock of i:latest ended with 1: Error: mutating path "/x": file already exists twice',
    });
    expect(disposed()).toBe(1);
  });

  test('where apko is not there is tool.missing, with how to get it', async () => {
    const { build, runs } = await start({ program: undefined });
    await expect(build()).rejects.toMatchObject({
      code: 'tool.missing',
      remedy: expect.stringContaining('scripts/setup --engines'),
    });
    expect(runs).toEqual([]);
    const says = 'bwrap: execvp /engine/apko-1.2: Permission denied\n';
    const unavailable = new RegrowError('sandbox.unavailable', 'no sandbox can be made here', { retry: 'later' });
    await expect((await start({ fails: unavailable, says })).build()).rejects.toMatchObject({
      code: 'tool.missing',
      message: expect.stringContaining('Permission denied'),
      remedy: expect.stringContaining('everyone has to be able to read and run it'),
    });
    await expect((await start({ fails: unavailable })).build()).rejects.toBe(unavailable);
  });
});
