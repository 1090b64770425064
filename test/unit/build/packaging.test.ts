import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { PackageTree } from '../../../src/build/packaging.ts';
import { readApk } from '../../../src/formats/apk.ts';
import { checkSize } from '../../../src/formats/package-tree.ts';
import { makePackage, recipeOf, type TreeNode, treeOf } from '../../support/package-trees.ts';

const folder = mkdtempSync(join(tmpdir(), 'regrow-packaging-'));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'lib.c'), 'int rand(void); int tally(void) { return rand(); }\n');
writeFileSync(join(folder, 'main.c'), 'int tally(void); int main(void) { return tally() - 1; }\n');
const gcc = (output: string, ...options: string[]): Buffer => {
  execFileSync('gcc', [...options, '-o', output], { cwd: folder });
  return readFileSync(join(folder, output));
};
const library = gcc('libtally.so.2', '-shared', '-fPIC', '-Wl,-soname,libtally.so.2', 'lib.c');
const program = gcc('count', 'main.c', 'libtally.so.2');
const run = (content: string | Uint8Array) => ({ content, mode: 0o755 });
const loader = 'so:ld-linux-x86-64.so.2';

async function scan(
  name: string,
  nodes: Record<string, TreeNode>,
  recipe: Parameters<typeof recipeOf>[1] = {},
  siblings: Record<string, TreeNode>[] = [],
) {
  const { artifact } = await makePackage({
    name,
    version: '2.0.1-r3',
    nodes,
    recipe,
    input: { siblings: siblings.map(treeOf) },
  });
  const { depends, provides } = artifact.info;
  return { depends, provides };
}

describe('depends and provides', () => {
  it('of a library: its soname, and the libraries it needs', async () => {
    expect(await scan('libtally', { 'usr/lib/libtally.so.2': run(library) })).toEqual({
      depends: ['so:libc.so.6'],
      provides: ['so-ver:libtally.so.2=2.0.1-r3', 'so:libtally.so.2=2'],
    });
  });

  it('of a program: a command, its loader and its libraries', async () => {
    expect(await scan('count', { 'usr/bin/count': run(program) })).toEqual({
      depends: [loader, 'so:libc.so.6', 'so:libtally.so.2'],
      provides: ['cmd:count=2.0.1-r3'],
    });
  });

  it('leave out what the package has itself', async () => {
    const both = { 'usr/bin/count': run(program), 'usr/lib/libtally.so.2': run(library) };
    expect((await scan('tally', both)).depends).toEqual([loader, 'so:libc.so.6']);
  });

  it('of a library elsewhere: it is its own affair, unless ld.so.conf.d names the place', async () => {
    const vendored = { 'usr/bin/count': run(program), 'usr/lib/count/libtally.so.2': run(library) };
    expect(await scan('count', vendored)).toEqual({
      depends: [loader, 'so:libc.so.6'],
      provides: ['cmd:count=2.0.1-r3'],
    });
    const named = await scan('count', { ...vendored, 'etc/ld.so.conf.d/count.conf': '/usr/lib/count\n' });
    expect(named.provides).toContain('so:libtally.so.2=2');
  });

  it('of a library elsewhere: what any package of the recipe names in ld.so.conf.d counts, and a link from where loaders look', async () => {
    const vendored = { 'usr/lib/count/libtally.so.2': run(library) };
    const provides = ['so-ver:libtally.so.2=2.0.1-r3', 'so:libtally.so.2=2'];
    expect((await scan('count', vendored, {}, [{ 'etc/ld.so.conf.d/c.conf': '/usr/lib/count/\n' }])).provides).toEqual(
      provides,
    );
    const linked = {
      ...vendored,
      'usr/lib/b.so': { link: './count/../a.so' },
      'usr/lib/a.so': { link: 'count/libtally.so.2' },
    };
    expect((await scan('count', linked)).provides).toEqual(provides);
    for (const link of ['/usr/lib/count/libtally.so.2', 'a.so', 'gone'])
      expect((await scan('count', { ...vendored, 'usr/lib/a.so': { link } })).provides).toEqual([]);
    const dev = { 'usr/lib/tally/libtally.so': { link: '/opt/tally/libtally.so.2' } };
    const other = { 'opt/tally/libtally.so.2': run(library), 'etc/ld.so.conf.d/tally.conf': '/opt/tally\n' };
    expect((await scan('tally-dev', dev, {}, [other])).depends).toEqual(['so:libtally.so.2']);
  });

  it('of a graphics driver: none, as the machine has it; a library that only has such a name is one', async () => {
    const driver = gcc('libcuda.so.1', '-shared', '-fPIC', '-nostdlib', '-Wl,-soname,libcuda.so.1', 'lib.c');
    const tool = gcc('libnvidia-container.so.1', '-shared', '-fPIC', '-Wl,-soname,libnvidia-container.so.1', 'lib.c');
    const nodes = { 'usr/lib/libcuda.so.1': run(driver), 'usr/lib/libnvidia-container.so.1': run(tool) };
    expect(await scan('gpu', nodes)).toEqual({
      depends: ['so:libc.so.6'],
      provides: ['so-ver:libnvidia-container.so.1=2.0.1-r3', 'so:libnvidia-container.so.1=1'],
    });
  });

  it('of a library that can be run: its soname all the same, also without a number in its name', async () => {
    const interpreter = '-Wl,--dynamic-linker,/lib64/ld-linux-x86-64.so.2';
    const plugin = gcc('plugin.so', '-shared', '-fPIC', '-Wl,-soname,plugin.so', interpreter, 'lib.c');
    expect((await scan('plugin', { 'usr/lib/plugin.so': run(plugin) })).provides).toContain('so:plugin.so=0');
  });

  it('of a -dev package: the library that its link leads to, pc: modules, and what they require', async () => {
    const dev = {
      'usr/lib/libtally.so': { link: 'libtally.so.2' },
      'usr/include/tally.h': 'int tally(void);\n',
      'usr/lib/pkgconfig/tally.pc':
        'prefix=/usr\nbase=zlib\nName: tally\nVersion: 2.0.1\nRequires: ${base} >= 1.2, expat, not\nRequires.private: libffi\n',
      'usr/share/other/not.pc': 'Name: not\n',
    };
    expect(await scan('libtally-dev', dev, {}, [{ 'usr/lib/libtally.so.2': run(library) }])).toEqual({
      depends: ['pc:expat', 'pc:libffi', 'pc:zlib', 'so:libtally.so.2'],
      provides: ['pc:tally=2.0.1-r3'],
    });
  });

  it('of scripts: the command that runs them, never sh or python', async () => {
    const scripts = {
      'usr/bin/one': run('#!/bin/bash -e\necho\n'),
      'usr/bin/two': run('#!/usr/bin/env perl\n'),
      'usr/bin/three': run('#!/usr/bin/env -S node --x\n'),
      'usr/bin/four': run('#! /bin/sh\n'),
      'usr/bin/five': run('#!/usr/bin/python3\n'),
      'usr/bin/six': '#!/usr/bin/env FOO=1 tclsh\n',
      'usr/bin/eight': '#!/usr/bin/env lua -x\n',
      'usr/local/sbin/nine': '#!/usr/bin/zsh\n',
      'usr/libexec/ten': run('#!/bin/fish\n'),
      'usr/share/seven': run('#!/usr/bin/ruby\n'),
    };
    const { depends, provides } = await scan('scripts', scripts);
    expect(depends).toEqual(['cmd:bash', 'cmd:node', 'cmd:perl', 'cmd:zsh']);
    expect(provides).toEqual(
      ['cmd:five', 'cmd:four', 'cmd:one', 'cmd:three', 'cmd:two'].map((name) => `${name}=2.0.1-r3`),
    );
  });

  it('of musl: programs ask for libc.musl, the loader answers', async () => {
    const provides = ['so:libc.musl-x86_64.so.1=1'];
    expect(
      (await scan('musl', { 'lib/ld-musl-x86_64.so.1': { link: 'libc.so' }, 'lib/libc.so': run('x') })).provides,
    ).toEqual(provides);
  });

  it('of modules: the interpreter of their version, unless the recipe names it', async () => {
    const module = { 'usr/lib/python3.13/site-packages/a/__init__.py': '' };
    expect((await scan('py3-a', module)).depends).toEqual(['python-3.13-base']);
    expect((await scan('py3-a', module, { depends: ['python-3.12'] })).depends).toEqual(['python-3.12']);
    expect((await scan('ruby-a', { 'usr/lib/ruby/gems/3.4.0/gems/a/a.rb': '' })).depends).toEqual(['ruby-3.4']);
    const perl = { 'usr/lib/perl5/vendor_perl/A.pm': '' };
    expect((await scan('perl-a', perl)).depends).toEqual(['perl~5']);
    expect((await scan('perl-a', perl, { depends: ['perl'] })).depends).toEqual(['perl']);
    expect(
      (await scan('ruby-a', { 'lib/ruby/gems/3.4.0/gems/a/a.rb': '' }, { depends: ['ruby-3.3'] })).depends,
    ).toEqual(['ruby-3.3']);
    const pages = { 'usr/share/man/man1/a.1': '', 'usr/share/info/a.info': '' };
    expect((await scan('a-doc', pages)).depends).toEqual(['man-db', 'texinfo']);
    expect((await scan('a', pages)).depends).toEqual([]);
  });

  it('follow the options of the recipe', async () => {
    const nodes = {
      'usr/bin/count': run(program),
      'usr/bin/s': run('#!/bin/bash\n'),
      'usr/lib/libtally.so.2': run(library),
    };
    const off = { noProvides: false, noDepends: false, noCommands: false, noVersionedShlibDeps: false };
    const declared = { provides: ['tally-any=1'], depends: ['busybox'] };
    expect(await scan('t', nodes, { ...declared, options: { ...off, noProvides: true, noDepends: true } })).toEqual({
      provides: ['tally-any=1'],
      depends: ['busybox'],
    });
    const noCommands = await scan('t', nodes, { options: { ...off, noCommands: true } });
    expect([...noCommands.provides, ...noCommands.depends].filter((one) => one.startsWith('cmd:'))).toEqual([]);
    const hidden = await scan('t', nodes, { options: { ...off, noProvides: true } });
    expect(hidden.depends).not.toContain('so:libtally.so.2');
  });

  it('leave out names that no dependency can hold', async () => {
    expect((await scan('odd', { 'usr/bin/a b': run('x'), 'usr/bin/ok': run('x') })).provides).toEqual([
      'cmd:ok=2.0.1-r3',
    ]);
  });
});

describe('a package', () => {
  const nodes = {
    'usr/bin/hello': run('#!/bin/sh\n'),
    'usr/bin/hi': { hard: 'usr/bin/hello' },
    'etc/hello.conf': 'a=b\n',
    'usr/bin-old/x': 'y',
  };

  it('holds its files in the order of a walk, and its SBOM', async () => {
    const { artifact, bytes } = await makePackage({ name: 'hello', nodes });
    const apk = readApk(bytes);
    expect(apk.entries().map((entry) => entry.path)).toEqual([
      'etc',
      'etc/hello.conf',
      'usr',
      'usr/bin',
      'usr/bin/hello',
      'usr/bin/hi',
      'usr/bin-old',
      'usr/bin-old/x',
      'var',
      'var/lib',
      'var/lib/db',
      'var/lib/db/sbom',
      'var/lib/db/sbom/hello-1.0.0-r0.spdx.json',
    ]);
    const sbom = apk.entries().at(-1)?.content ?? Buffer.alloc(0);
    expect(JSON.parse(Buffer.from(sbom).toString())).toMatchObject({ spdxVersion: 'SPDX-2.3', name: 'hello-1.0.0-r0' });
    expect(artifact.info.size).toBe('#!/bin/sh\n'.length + 'a=b\n'.length + 'y'.length + sbom.length);
    expect(artifact).toMatchObject({ target: 'x86_64-gnu', bytes: bytes.length, checksum: apk.checksum });
    expect(artifact.info).toEqual(apk.info);
  });

  it('is the same whatever order the tree is walked in, and whatever sizes directories have', async () => {
    const tree = treeOf(nodes);
    const input = { name: 'hello', nodes };
    const one = await makePackage(input);
    const shuffled = tree.entries
      .toReversed()
      .map((entry) => (entry.type === 'directory' ? { ...entry, size: 4096 } : entry));
    const two = await makePackage({ ...input, input: { tree: { entries: shuffled, read: tree.read } } });
    expect(two.artifact).toEqual(one.artifact);
    expect(Buffer.compare(one.bytes, two.bytes)).toBe(0);
  });

  it('carries scriptlets and triggers, and runs none', async () => {
    const recipe = {
      scriptlets: { ...recipeOf('x').scriptlets, 'post-install': '#!/bin/sh\nexit 1\n' },
      trigger: { script: '#!/bin/sh\ntrue\n', paths: ['/usr/share/x'] },
    };
    const apk = readApk((await makePackage({ name: 'hello', nodes, recipe })).bytes);
    expect(apk.scriptlets).toEqual({ 'post-install': '#!/bin/sh\nexit 1\n', trigger: '#!/bin/sh\ntrue\n' });
    expect(apk.info.triggers).toEqual(['/usr/share/x']);
  });

  it('may be empty but for its SBOM', async () => {
    expect(readApk((await makePackage({ name: 'meta' })).bytes).entries().length).toBe(5);
  });

  it('of many files takes time in proportion', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, i) => [`usr/share/d${i % 50}/f${i}`, `content ${i}`]),
    );
    const started = performance.now();
    const { artifact } = await makePackage({ name: 'many', nodes: many });
    expect(artifact.info.size).toBeGreaterThan(200_000);
    expect(performance.now() - started).toBeLessThan(15_000);
  });
});

describe('files that were made to stall who looks at them', () => {
  const references = (name: string) => Array(60).fill(`\${${name}}`).join(' ');
  it.each<[string, string, string, string[]]>([
    ['a .pc file with a long run of spaces', 'usr/lib/pkgconfig/a.pc', `Requires: a${' '.repeat(200_000)}b`, ['pc:b']],
    [
      'a .pc file whose variables double each other',
      'usr/lib/pkgconfig/a.pc',
      [
        'a=x',
        ...['b', 'c', 'd', 'e', 'f', 'g'].map((name, i) => `${name}=${references('abcdef'[i] ?? '')}`),
        'Requires: a b ${g}',
      ].join('\n'),
      ['pc:b'],
    ],
    ['an ld.so.conf with a long run of slashes', 'etc/ld.so.conf.d/a.conf', `/a${'/'.repeat(200_000)}b`, []],
  ])('%s takes no time', async (_, path, content, found) => {
    const started = performance.now();
    const { artifact } = await makePackage({ name: 'stall', nodes: { [path]: content } });
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(artifact.info.depends).toEqual(expect.arrayContaining(found));
  });
});

describe('what may not be in a package', () => {
  it.each<[string, Record<string, TreeNode>]>([
    ['a setuid file', { 'usr/bin/su': { content: 'x', mode: 0o4755 } }],
    ['a setgid directory', { 'var/mail': { directory: 0o2775 } }],
    ['a device', { 'dev/null': { other: true } }],
    ['a link above the root', { 'usr/x': { link: '../../etc/shadow' } }],
    ['a hard link to nothing', { 'usr/x': { hard: 'usr/y' } }],
    ['a hidden file at the top', { '.PKGINFO': 'pkgname = evil\n' }],
    ['a line break in a name', { 'usr/a\nb': 'x' }],
    ['an SBOM of its own', { 'var/lib/db/sbom/evil-1.0.0-r0.spdx.json': '{}' }],
    ['a link where the SBOM goes', { var: { link: 'tmp' } }],
  ])('%s is build.output-unsafe, naming package and file', async (_, nodes) => {
    await expect(makePackage({ name: 'evil', nodes })).rejects.toMatchObject({
      code: 'build.output-unsafe',
      where: { package: 'evil' },
    });
  });

  it('paths that leave the package are build.output-unsafe', async () => {
    for (const path of ['../x', 'usr/../../x', '/etc/passwd', 'usr//x', '']) {
      const tree = {
        entries: [{ path, type: 'file' as const, mode: 0o644, size: 0 }],
        read: async () => Buffer.alloc(0),
      };
      await expect(makePackage({ name: 'evil', input: { tree } })).rejects.toMatchObject({
        code: 'build.output-unsafe',
      });
    }
  });

  it('more than fits into memory is build.output-unsafe before anything is read, also in a sibling', async () => {
    const big = { path: 'usr/lib/libbig.so', type: 'file', mode: 0o755, size: 8 * 2 ** 30 } as const;
    const unread: PackageTree = { entries: [big], read: () => Promise.reject(new Error('was read')) };
    for (const input of [{ tree: unread }, { siblings: [unread] }]) {
      await expect(makePackage({ name: 'big', input })).rejects.toMatchObject({
        code: 'build.output-unsafe',
        where: { package: 'big', file: big.path },
        message: expect.stringContaining('has 8192 MiB of the 8193 MiB'),
      });
    }
    const many = Array.from({ length: 3 }, (_, i) => ({ path: `f${i}`, size: 0 }));
    expect(() => checkSize('many', many, 3 * 1536 - 1)).toThrow(/in 3 files and directories/);
    checkSize('many', many, 3 * 1536);
  });

  it('a name that is a path is build.output-unsafe', async () => {
    await expect(makePackage({ name: '../../evil' })).rejects.toMatchObject({ code: 'build.output-unsafe' });
  });

  it('an absolute link stays: it is within the root where it is installed', async () => {
    await expect(makePackage({ name: 'fine', nodes: { 'usr/bin/x': { link: '/usr/lib/x' } } })).resolves.toBeDefined();
  });

  it('a declared dependency that apk cannot read is recipe.malformed', async () => {
    await expect(makePackage({ name: 'x', recipe: { depends: ['a b'] } })).rejects.toMatchObject({
      code: 'recipe.malformed',
    });
  });
});
