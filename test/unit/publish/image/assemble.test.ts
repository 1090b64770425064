import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { toRegrowError } from '../../../../src/errors.ts';
import { readGzipMember } from '../../../../src/formats/gzip.ts';
import { digestHex, ociMediaTypes } from '../../../../src/formats/oci.ts';
import { readTar } from '../../../../src/formats/tar-reader.ts';
import { sha256 } from '../../../../src/model/canonical.ts';
import { parseImageDefinition } from '../../../../src/model/image-definition.ts';
import { type AssembledImage, assembleImage, commandOf, indexImages } from '../../../../src/publish/image/index.ts';
import { apkFile } from '../../../support/apk-file.ts';

const target = { arch: 'x86_64', libc: 'gnu' } as const;
const keys = [{ name: 'box.rsa.pub', pem: 'PEM\n' }];

function assemble(packages: readonly Uint8Array[], yaml = '', arch: 'x86_64' | 'aarch64' = 'x86_64') {
  const { definition } = parseImageDefinition(
    'i.yaml',
    yaml.includes('contents:') ? yaml : `contents:\n  packages: [base]\n${yaml}`,
  );
  return assembleImage({
    name: 'i',
    definition,
    target: { ...target, arch },
    packages,
    keys,
    sourceDateEpoch: 1_700_000_000,
  });
}

async function refusal(packages: readonly Uint8Array[], yaml = ''): Promise<string> {
  try {
    await assemble(packages, yaml);
  } catch (error) {
    const { code, message } = toRegrowError(error);
    return `${code}: ${message}`;
  }
  throw new Error('the image was made');
}

function json(image: AssembledImage, hex: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(image.blobs.get(hex) ?? new Uint8Array()).toString()) as Record<string, unknown>;
}

function manifestOf(image: AssembledImage) {
  return json(image, digestHex(image.manifest)) as {
    config: { digest: string };
    layers: { digest: string; size: number }[];
    annotations: Record<string, string>;
  };
}

function configOf(image: AssembledImage) {
  return json(image, digestHex(manifestOf(image).config)) as {
    config: Record<string, unknown>;
    rootfs: { diff_ids: string[] };
    created: string;
    architecture: string;
  };
}

function text(image: AssembledImage, path: string): string | undefined {
  const content = image.entries.find((entry) => entry.path === path)?.content;
  return content === undefined ? undefined : Buffer.from(content).toString();
}

function layersOf(image: AssembledImage) {
  return manifestOf(image).layers.map((layer) =>
    readTar(readGzipMember(image.blobs.get(digestHex(layer)) ?? new Uint8Array()).content),
  );
}

const base = () =>
  apkFile('base-1.0-r0', {
    bin: '-> usr/bin',
    lib: '-> usr/lib',
    'usr/bin': { directory: 0o755 },
    'usr/lib/os-release': 'ID=box\nNAME="Box Linux"\nVERSION_ID=3\n',
    'etc/os-release': '-> ../usr/lib/os-release',
    'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
    'etc/group': 'root:x:0:\nstaff:x:50:\n',
    tmp: { directory: 0o1777 },
  });

describe('the root', () => {
  test('has the files of all packages, links of a merged /usr followed', async () => {
    const tool = await apkFile('tool-2.0-r1', { 'bin/tool': { text: 'run', mode: 0o755 }, 'usr/bin/t': '=> bin/tool' });
    const { entries } = await assemble([tool, await base()]);
    const paths = entries.map(({ path, type, mode }) => `${path} ${type} ${mode.toString(8)}`);
    expect(paths).toContain('bin symlink 777');
    expect(paths).toContain('usr/bin/tool file 755');
    expect(paths).toContain('tmp directory 1777');
    expect(paths).toContain('proc directory 555');
    expect(paths).toContain('var/tmp directory 1777');
    expect(paths).not.toContain('lib/apk symlink 777');
    expect(entries.find(({ path }) => path === 'usr/bin/t')).toMatchObject({ type: 'hardlink', link: 'usr/bin/tool' });
    expect(entries.at(-1)?.path).toBe('usr/bin/t');
  });

  test('has what apk keeps of its packages', async () => {
    const tool = await apkFile(
      'tool-2.0-r1',
      {
        'usr/bin/tool': { text: 'run', mode: 0o755 },
        'usr/bin/alias': '-> tool',
        'usr/share/tool/data': 'data',
        'srv/hidden': { directory: 0o700 },
      },
      {
        origin: 'tools',
        depends: ['base'],
        provides: ['cmd:tool=2.0-r1'],
        replaces: ['old'],
        replacesPriority: 3,
        triggers: ['/usr/lib/*'],
      },
      { trigger: '#!/bin/sh\n', 'post-install': '#!/bin/sh\nexit 1\n' },
    );
    const yaml = 'contents:\n  packages: [cmd:tool, base>=1, "!bad"]\n  repositories: [https://apk.example.test/os]\n';
    const image = await assemble([tool, await base()], yaml);
    expect(text(image, 'etc/apk/arch')).toBe('x86_64\n');
    expect(text(image, 'etc/apk/world')).toBe('!bad\nbase=1.0-r0\ntool=2.0-r1\n');
    expect(text(image, 'etc/apk/repositories')).toBe('https://apk.example.test/os\n');
    expect(text(image, 'etc/apk/keys/box.rsa.pub')).toBe('PEM\n');
    const [, entry = ''] = (text(image, 'usr/lib/apk/db/installed') ?? '').split('\n\n');
    expect(entry).toMatch(/^C:Q1.{27}=\nP:tool\nV:2\.0-r1\nA:x86_64\n/);
    expect(entry).toContain('\nD:base\np:cmd:tool=2.0-r1\nr:old\nq:3\nF:srv');
    expect(entry).toContain('\nF:srv/hidden\nM:0:0:700\n');
    expect(entry).toContain('\nF:usr/bin\nR:alias\na:0:0:777\nZ:Q1');
    const hash = createHash('sha1').update('run').digest('base64');
    expect(entry).toContain(`\nR:tool\na:0:0:755\nZ:Q1${hash}\n`);
    expect(entry).toContain('\nF:usr/share/tool\nR:data\nZ:Q1');
    expect(text(image, 'usr/lib/apk/db/triggers')).toMatch(/^Q1.* \/usr\/lib\/\*\n$/);
    const scripts =
      image.entries.find(({ path }) => path === 'usr/lib/apk/db/scripts.tar')?.content ?? new Uint8Array();
    expect(readTar(Buffer.from(scripts)).entries.map(({ path }) => path.replace(/Q1[^.]*/, 'Q1'))).toEqual([
      'tool-2.0-r1.Q1.trigger',
      'tool-2.0-r1.Q1.post-install',
    ]);
  });

  test('links /lib/apk to the database where /lib is a directory', async () => {
    const image = await assemble([await apkFile('base-1-r0', { 'lib/x': 'x' })]);
    expect(image.entries.find(({ path }) => path === 'lib/apk')).toMatchObject({ link: '../usr/lib/apk' });
    expect(text(image, 'lib/x')).toBe('x');
  });

  test('takes the file of the package that replaces, of the same origin, or the same file', async () => {
    const files = (content: string) => ({ 'etc/conf': content, 'etc/same': 'same' });
    const a = (more = {}) => apkFile('base-1-r0', files('a'), more);
    const b = (more = {}) => apkFile('other-1-r0', files('b'), more);
    const content = async (...packages: Promise<Uint8Array>[]) =>
      text(await assemble(await Promise.all(packages)), 'etc/conf');
    expect(await content(a(), b({ replaces: ['base'] }))).toBe('b');
    expect(await content(a({ replaces: ['other<2'] }), b())).toBe('a');
    expect(await content(a({ replaces: ['other'], replacesPriority: 2 }), b({ replaces: ['base'] }))).toBe('a');
    expect(await content(a({ replaces: ['other'] }), b({ replaces: ['base'], replacesPriority: 2 }))).toBe('b');
    expect(await content(a({ origin: 'o' }), b({ origin: 'o' }))).toBe('b');
    expect(await refusal(await Promise.all([a({ replaces: ['other>2'] }), b()]))).toBe(
      'image.invalid: /etc/conf is a file in base-1-r0 and a file in other-1-r0',
    );
  });

  test('a hard link to a file that another package replaces has the content of its own package', async () => {
    const mine = await apkFile('base-1-r0', { 'bin/a': { text: 'mine', mode: 0o755 }, 'bin/b': '=> bin/a' });
    const theirs = await apkFile('other-1-r0', { 'bin/a': 'theirs' }, { replaces: ['base'] });
    const image = await assemble([mine, theirs]);
    expect(text(image, 'bin/a')).toBe('theirs');
    expect(image.entries.find(({ path }) => path === 'bin/b')).toMatchObject({ type: 'file', mode: 0o755 });
    expect(text(image, 'bin/b')).toBe('mine');
  });

  test('has the directory that its program starts in', async () => {
    const image = await assemble([await base()], 'work-dir: /srv/app/\n');
    expect(image.entries.find(({ path }) => path === 'srv/app')).toEqual({
      path: 'srv/app',
      type: 'directory',
      mode: 0o755,
    });
    expect(await refusal([await base()], 'work-dir: /etc/passwd\n')).toBe('image.invalid: /etc/passwd is a file');
    await assemble([await base()], 'work-dir: /\n');
  });

  test('refuses packages that do not fit', async () => {
    const file = await apkFile('other-1-r0', { tmp: 'a file' });
    expect(await refusal([await base(), file])).toContain(
      '/tmp is a directory in base-1.0-r0 and a file in other-1-r0',
    );
    expect(await refusal([await base(), await base()])).toContain('base is there twice');
    const foreign = await apkFile('base-1-r0', {}, { arch: 'aarch64' });
    expect(await refusal([foreign])).toBe('image.invalid: base-1-r0 is for aarch64, not x86_64');
    const circle = await apkFile('base-1-r0', { a: '-> b', b: '-> a', 'c/d': 'x' });
    expect(await refusal([circle, await apkFile('other-1-r0', { 'a/x': 'x' })])).toContain('lead in a circle');
    const under = await apkFile('base-1-r0', { x: 'file' });
    expect(await refusal([under, await apkFile('other-1-r0', { 'x/y': 'x' })])).toContain('/x is a');
    expect(await refusal([new Uint8Array([1, 2, 3])])).toContain('package.malformed');
  });

  test('keeps links inside of the root', async () => {
    const up = await apkFile('base-1-r0', { out: '-> ../../etc', abs: '-> /srv' });
    const image = await assemble([up, await apkFile('other-1-r0', { 'out/x': '1', 'abs/y': '2' })]);
    expect(text(image, 'etc/x')).toBe('1');
    expect(text(image, 'srv/y')).toBe('2');
  });
});

describe('accounts and paths', () => {
  const yaml = `
accounts:
  run-as: app
  users:
    - {username: app, uid: 100, gid: 50}
    - {username: srv, uid: 101, homedir: /srv/home, shell: /bin/false}
  groups:
    - {groupname: app, gid: 100, members: [app, srv]}
paths:
  - {path: /data, type: directory, uid: 100, gid: 50, permissions: 0o750}
  - {path: /data/empty, type: empty-file, permissions: 0600}
  - {path: /opt/link, type: symlink, source: /data}
  - {path: /data/same, type: hardlink, source: /data/empty}
  - {path: /data, type: permissions, permissions: 0o700, uid: 7, recursive: true}
`;

  test('are carried out, owners included', async () => {
    const image = await assemble([await base()], yaml);
    expect(text(image, 'etc/passwd')).toBe(
      'root:x:0:0:root:/root:/bin/sh\napp:x:100:50::/home/app:/bin/sh\nsrv:x:101:101::/srv/home:/bin/false\n',
    );
    expect(text(image, 'etc/group')).toBe('root:x:0:\nstaff:x:50:\napp:x:100:app,srv\n');
    expect(configOf(image).config['User']).toBe('100:50');
    const [layer] = layersOf(image);
    const entries = new Map(layer?.entries.map((entry) => [entry.path, entry]));
    expect(entries.get('opt/link')).toMatchObject({ type: 'symlink', link: '/data' });
    expect(entries.get('data/same')).toMatchObject({ type: 'hardlink', link: 'data/empty' });
    expect(entries.get('data')).toMatchObject({ mode: 0o700 });
    expect(entries.get('data/empty')).toMatchObject({ mode: 0o700 });
  });

  test.each([
    ['app', '100:50'],
    ['app:staff', '100:50'],
    ['app:0', '100:0'],
    ['65532', '65532'],
    ['65532:65533', '65532:65533'],
    ['101', '101:101'],
  ])('run-as %s is %s', async (runAs, user) => {
    const image = await assemble([await base()], yaml.replace('run-as: app', `run-as: "${runAs}"`));
    expect(configOf(image).config['User']).toBe(user);
  });

  test('makes the files where no package brings them, and replaces an account of the same name', async () => {
    const bare = await apkFile('base-1-r0', {});
    const accounts = 'accounts: {users: [{username: root, uid: 0, homedir: /}], groups: [{groupname: g, gid: 9}]}\n';
    const image = await assemble([bare], accounts);
    expect(text(image, 'etc/passwd')).toBe('root:x:0:0::/:/bin/sh\n');
    expect(text(image, 'etc/group')).toBe('root:x:0:\ng:x:9:\n');
  });

  test.each([
    ['run-as nobody knows', 'accounts: {run-as: ghost}', 'nobody in the image is called ghost'],
    ['a group nobody knows', 'accounts: {run-as: "root:ghost"}', 'nobody in the image'],
    ['a number twice', 'accounts: {users: [{username: a, uid: 0}]}', 'a and root both have the number 0'],
    ['a line break', 'accounts: {users: [{username: "a\\nb", uid: 3}]}', 'line break'],
    ['permissions of nothing', 'paths: [{path: /no, type: permissions, permissions: 0o755}]', 'there is no /no'],
    ['a hard link to nothing', 'paths: [{path: /a, type: hardlink, source: /no}]', 'there is no /no'],
    ['a hard link to a directory', 'paths: [{path: /a, type: hardlink, source: /tmp}]', '/tmp is a directory'],
    ['a file for a directory', 'paths: [{path: /tmp, type: empty-file}]', '/tmp cannot be a file'],
    ['a path below a file', 'paths: [{path: /etc/passwd/x, type: directory}]', '/etc/passwd is a file'],
  ])('refuses %s', async (_, definition, message) => {
    expect(await refusal([await base()], definition)).toContain(message);
  });
});

describe('the image', () => {
  test('says what it runs', async () => {
    const yaml = `
entrypoint: {command: /usr/bin/tool --say 'two words'}
cmd: all
work-dir: /srv
stop-signal: SIGINT
environment: {LANG: C, PATH: /usr/bin}
annotations: {org.example: x}
volumes: [/data]
`;
    const image = await assemble([await base()], yaml);
    expect(configOf(image)).toMatchObject({
      created: '2023-11-14T22:13:20Z',
      architecture: 'amd64',
      os: 'linux',
      config: {
        Entrypoint: ['/usr/bin/tool', '--say', 'two words'],
        Cmd: ['all'],
        WorkingDir: '/srv',
        StopSignal: 'SIGINT',
        Env: ['LANG=C', 'PATH=/usr/bin', 'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt'],
        Volumes: { '/data': {} },
        Labels: { 'org.example': 'x', 'org.opencontainers.image.created': '2023-11-14T22:13:20Z' },
      },
    });
    expect(manifestOf(image).annotations).toMatchObject({ 'org.example': 'x' });
    expect(commandOf(image.process)).toEqual({
      argv: ['/usr/bin/tool', '--say', 'two words', 'all'],
      cwd: '/srv',
      env: { LANG: 'C', PATH: '/usr/bin', SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt' },
    });
    const quiet = await assemble([await base()]);
    expect(commandOf(quiet.process)).toBeUndefined();
    expect(commandOf({ ...quiet.process, Cmd: ['/x'] })).toMatchObject({ argv: ['/x'], cwd: '/' });
    expect(image.packages).toEqual([{ name: 'base', version: '1.0-r0', origin: 'base' }]);
  });

  test('is the same for the same packages in any order, and every blob is what its digest says', async () => {
    const [a, b] = [await base(), await apkFile('z-1-r0', { 'usr/bin/z': 'z' })];
    const image = await assemble([a, b]);
    expect((await assemble([b, a])).manifest).toEqual(image.manifest);
    for (const [hex, bytes] of image.blobs) expect(sha256(bytes)).toBe(hex);
    for (const { mtime } of layersOf(image)[0]?.entries ?? []) expect(mtime).toBe(1_700_000_000);
  });

  test('puts origins into layers, the largest by themselves, the state of the image last', async () => {
    const packages = [
      await base(),
      await apkFile('big-1-r0', { 'usr/bin/big': 'big', 'usr/bin/link': '=> usr/bin/big' }, { size: 900, origin: 'o' }),
      await apkFile('big-data-1-r0', { 'usr/share/big': 'x' }, { size: 100, origin: 'o' }),
      await apkFile('mid-1-r0', { 'usr/bin/mid': 'mid' }, { size: 500 }),
      await apkFile('mid-fix-1-r0', { 'usr/bin/fix': 'fix' }, { size: 1, replaces: ['mid'] }),
      await apkFile('small-1-r0', { 'usr/bin/small': 'small' }, { size: 2 }),
    ];
    const files = async (budget: number) => {
      const image = await assemble(packages, `layering: {strategy: origin, budget: ${budget}}`);
      const layers = layersOf(image);
      expect(configOf(image).rootfs.diff_ids).toHaveLength(layers.length);
      return layers.map(({ entries }) =>
        entries.map(({ path }) => path).filter((path) => /bin\/\w|share\/big|world/.test(path)),
      );
    };
    const own = ['usr/bin/big', 'usr/share/big', 'usr/bin/link'];
    expect(await files(10)).toEqual([own, ['usr/bin/fix', 'usr/bin/mid'], ['usr/bin/small'], [], ['etc/apk/world']]);
    expect(await files(3)).toEqual([own, ['usr/bin/fix', 'usr/bin/mid', 'usr/bin/small'], ['etc/apk/world']]);
    expect(await files(2)).toHaveLength(2);
    expect(await files(1)).toHaveLength(1);
    const image = await assemble(packages, 'layering: {strategy: origin}');
    expect(layersOf(image)[0]?.entries[0]).toMatchObject({ path: 'usr', type: 'directory' });
  });

  test('a hard link whose file is in another layer is a file of its own', async () => {
    const packages = [
      await apkFile('aaa-1-r0', { a: 'shared' }, { size: 9 }),
      await apkFile('base-1-r0', { a: 'shared', b: '=> a' }, { size: 5 }),
    ];
    const image = await assemble(packages, 'layering: {strategy: origin, budget: 4}');
    const [first, second] = layersOf(image);
    expect(first?.entries.map(({ path, type }) => `${path} ${type}`)).toEqual(['a file']);
    expect(second?.entries.map(({ path, type, content }) => `${path} ${type} ${Buffer.from(content)}`)).toEqual([
      'b file shared',
    ]);
  });

  test('has an SPDX document of every package, which its index names', async () => {
    const image = await assemble([
      await base(),
      await apkFile('z+-1-r0', {}, { licenses: ['MIT'], url: 'https://z.test' }),
    ]);
    const other = await assemble([await apkFile('base-1-r0', {}, { arch: 'aarch64' })], '', 'aarch64');
    const { index, blobs } = indexImages([other, image]);
    expect(index).toEqual(indexImages([image, other]).index);
    const content = JSON.parse(Buffer.from(index.bytes).toString()) as {
      mediaType: string;
      manifests: { digest: string; platform: object; annotations: Record<string, string> }[];
    };
    expect(content.mediaType).toBe(ociMediaTypes.index);
    expect(content.manifests.map(({ platform }) => platform)).toEqual([
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm64' },
    ]);
    const sbom = content.manifests[0]?.annotations['dev.regrow.sbom']?.replace('sha256:', '') ?? '';
    const document = JSON.parse(Buffer.from(blobs.get(sbom) ?? new Uint8Array()).toString()) as {
      packages: { name: string; versionInfo: string; externalRefs?: { referenceLocator: string }[] }[];
    };
    expect(document.packages.map(({ name, versionInfo }) => `${name} ${versionInfo}`)).toEqual([
      `i ${image.manifest.digest}`,
      ...manifestOf(image).layers.map(({ digest }) => `${digest} undefined`),
      'box 3',
      'base 1.0-r0',
      'z+ 1-r0',
    ]);
    expect(document.packages[3]?.externalRefs?.[0]?.referenceLocator).toBe(
      'pkg:apk/box/base@1.0-r0?arch=x86_64&distro=box-3',
    );
    for (const [hex, bytes] of blobs) expect(sha256(bytes)).toBe(hex);
  });
});
