import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createExec } from '../../../src/adapters/exec.ts';
import { createWorkspaces } from '../../../src/adapters/workspace.ts';
import type { Workspace } from '../../../src/ports/workspace.ts';

let directory: string;
let workspace: Workspace & { dispose(): Promise<void> };

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'regrow-workspace-'));
  workspace = await createWorkspaces({ directory: join(directory, 'work'), exec: createExec() }).create('jq/1.8');
});
afterEach(async () => {
  await workspace.dispose();
  rmSync(directory, { recursive: true, force: true });
});

const unsafe = { code: 'build.output-unsafe' };

describe('workspace', () => {
  test('walks bytewise, parents first, with links and hard links as they are', async () => {
    await workspace.write('t/b', 'x');
    await workspace.write('t/a/z', 'yy', 0o755);
    await workspace.write('t/a-', '');
    await workspace.write('t/é', '');
    await workspace.unpack('t', [
      { path: 'l', type: 'symlink', mode: 0o777, link: '/nowhere' },
      { path: 'hard', type: 'hardlink', mode: 0o644, link: 'b' },
    ]);
    execFileSync('mkfifo', [workspace.path('t/pipe')]);
    expect(await workspace.walk('t')).toEqual([
      { path: 'a', type: 'directory', mode: 0o755, size: 0 },
      { path: 'a/z', type: 'file', mode: 0o755, size: 2 },
      { path: 'a-', type: 'file', mode: 0o644, size: 0 },
      { path: 'b', type: 'file', mode: 0o644, size: 1 },
      { path: 'hard', type: 'hardlink', mode: 0o644, size: 0, link: 'b' },
      { path: 'l', type: 'symlink', mode: 0o777, size: 0, link: '/nowhere' },
      expect.objectContaining({ path: 'pipe', type: 'other' }),
      { path: 'é', type: 'file', mode: 0o644, size: 0 },
    ]);
  });

  test('reads no more of a file than is asked for, however large it is', async () => {
    await workspace.write('large', 'start');
    truncateSync(workspace.path('large'), 100 * 2 ** 30);
    expect(Buffer.from(await workspace.read('large', 5)).toString()).toBe('start');
    await workspace.write('small', 'start');
    expect(Buffer.from(await workspace.read('small', 100)).toString()).toBe('start');
  });

  test('reads what its owner may not read, and leaves files as they were', async () => {
    await workspace.write('t/sbin/secret', 'x', 0o111);
    await workspace.write('t/none', 'y', 0o600);
    chmodSync(workspace.path('t/none'), 0);
    chmodSync(workspace.path('t/sbin'), 0o111);
    // Root may read everything, so the test is somebody else for a moment.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) execFileSync('chown', ['-R', '65534', directory]);
    try {
      if (isRoot) process.seteuid?.(65_534);
      expect(await workspace.walk('t')).toEqual([
        { path: 'none', type: 'file', mode: 0, size: 1 },
        { path: 'sbin', type: 'directory', mode: 0o111, size: 0 },
        { path: 'sbin/secret', type: 'file', mode: 0o111, size: 1 },
      ]);
      expect(Buffer.from(await workspace.read('t/none')).toString()).toBe('y');
      expect(Buffer.from(await workspace.read('t/sbin/secret')).toString()).toBe('x');
      expect(lstatSync(workspace.path('t/none')).mode & 0o777).toBe(0);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  test.each(['../x', 'a/../../x', '/etc/x', 'a\0b'])('refuses the path %j', async (path) => {
    await expect(workspace.write(path, '')).rejects.toMatchObject(unsafe);
    await expect(workspace.unpack('t', [{ path, type: 'file', mode: 0o644 }])).rejects.toMatchObject(unsafe);
  });

  test('never writes or reads through a symlink that leads out', async () => {
    const outside = join(directory, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'secret'), 'secret');
    symlinkSync(outside, workspace.path('out'));
    symlinkSync(join(outside, 'secret'), workspace.path('file'));
    await expect(workspace.write('out/new', 'x')).rejects.toMatchObject(unsafe);
    await expect(workspace.read('out/secret')).rejects.toMatchObject(unsafe);
    await expect(workspace.read('file')).rejects.toMatchObject(unsafe);
    await expect(workspace.walk('out')).rejects.toMatchObject(unsafe);
    expect(await workspace.exists('out/secret')).toBe(false);
    await expect(
      workspace.unpack('tree', [
        { path: 'evil', type: 'symlink', mode: 0o777, link: outside },
        { path: 'evil/new', type: 'file', mode: 0o644, content: Buffer.from('x') },
      ]),
    ).rejects.toMatchObject(unsafe);
    await workspace.write('file', 'mine');
    expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('secret');
    expect(readdirSync(outside)).toEqual(['secret']);
  });

  test('unpacks through the links of a merged /usr, drops setuid, and replaces files rather than writing into them', async () => {
    await workspace.unpack('root', [
      { path: 'usr/bin', type: 'directory', mode: 0o755 },
      { path: 'bin', type: 'symlink', mode: 0o777, link: 'usr/bin' },
      { path: 'bin/tool', type: 'file', mode: 0o4755, content: Buffer.from('1') },
      { path: 'bin', type: 'directory', mode: 0o755 },
      { path: 'usr/bin/tool', type: 'file', mode: 0o755, content: Buffer.from('2') },
    ]);
    expect(Buffer.from(await workspace.read('root/usr/bin/tool')).toString()).toBe('2');
    expect(lstatSync(workspace.path('root/usr/bin/tool')).mode & 0o7777).toBe(0o755);
    expect(lstatSync(workspace.path('root/bin')).isSymbolicLink()).toBe(true);
  });

  test.each([
    ['tar.gz', ['tar', '-czf']],
    ['tar.xz', ['tar', '-cJf']],
    ['tar.bz2', ['tar', '-cjf']],
    ['zip', ['zip', '-qr']],
  ])('extracts %s by its content, leaving out the first component', async (_kind, [tool = '', ...options]) => {
    mkdirSync(join(directory, 'jq-1.8/src'), { recursive: true });
    writeFileSync(join(directory, 'jq-1.8/src/main.c'), 'int x;');
    const archive = join(directory, 'download');
    try {
      execFileSync(tool, [...options, archive, 'jq-1.8'], { cwd: directory });
    } catch {
      return console.log(`skipped: ${tool} is not here`);
    }
    const file = existsSync(archive) ? archive : `${archive}.zip`;
    await workspace.extract(file, 'src', 1);
    expect((await workspace.walk('src')).map((entry) => entry.path)).toEqual(['src', 'src/main.c']);
    return undefined;
  });

  test('an archive goes neither through links that a step left, nor to files outside by hard link', async () => {
    const outside = join(directory, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'secret'), 'secret');
    await workspace.makeDirectory('build');
    symlinkSync(outside, workspace.path('build/x'));
    const tree = join(directory, 'tree/x');
    mkdirSync(tree, { recursive: true });
    writeFileSync(join(tree, 'new'), 'evil');
    const archive = join(directory, 'evil.tar');
    execFileSync('tar', ['-cf', archive, '-C', join(directory, 'tree'), 'x']);
    await expect(workspace.extract(archive, 'build', 0)).rejects.toMatchObject(unsafe);

    writeFileSync(join(tree, 'secret'), '');
    linkSync(join(tree, 'secret'), join(directory, 'tree/z'));
    execFileSync('tar', ['-cf', archive, '-C', join(directory, 'tree'), 'x/secret', 'z']);
    execFileSync('tar', ['--delete', '-f', archive, 'x/secret']);
    await expect(workspace.extract(archive, 'build', 0)).rejects.toMatchObject({ code: 'upstream.answer-invalid' });

    await expect(
      workspace.fill('build', async (into) => linkSync(join(outside, 'secret'), join(into, 'hard'))),
    ).rejects.toMatchObject(unsafe);
    expect(readdirSync(outside)).toEqual(['secret']);
    expect(await workspace.list('')).toEqual(['build']);
    expect(await workspace.list('build')).toEqual(['x']);
  });

  test('what is extracted comes over what is there, and replaces files and links', async () => {
    await workspace.write('src/a/old', 'old');
    await workspace.write('src/a/both', 'old');
    symlinkSync('old', workspace.path('src/a/link'));
    const tree = join(directory, 'tree');
    mkdirSync(join(tree, 'a/locked'), { recursive: true });
    for (const name of ['both', 'link', 'locked/f']) writeFileSync(join(tree, 'a', name), 'new');
    chmodSync(join(tree, 'a/locked'), 0o555);
    const archive = join(directory, 'a.tar');
    execFileSync('tar', ['-cf', archive, '-C', tree, 'a']);
    await workspace.extract(archive, 'src', 0);
    expect(readFileSync(workspace.path('src/a/both'), 'utf8')).toBe('new');
    expect(readFileSync(workspace.path('src/a/old'), 'utf8')).toBe('old');
    expect(lstatSync(workspace.path('src/a/link')).isFile()).toBe(true);
    expect(lstatSync(workspace.path('src/a/locked')).mode & 0o7777).toBe(0o555);
  });

  test('says that a file is no archive', async () => {
    writeFileSync(join(directory, 'x'), 'hello');
    await expect(workspace.extract(join(directory, 'x'), 'src', 1)).rejects.toMatchObject({
      code: 'upstream.answer-invalid',
    });
  });

  test('a package cannot make the merge write outside of the root', async () => {
    const outside = join(directory, 'outside');
    mkdirSync(outside);
    await workspace.unpack('root', [
      { path: 'usr/bin', type: 'symlink', mode: 0o777, link: outside },
      { path: 'etc', type: 'symlink', mode: 0o777, link: outside },
      { path: 'usr/lib/x86_64-linux-gnu', type: 'symlink', mode: 0o777, link: outside },
      { path: 'usr/lib/libc.so.6', type: 'file', mode: 0o755 },
    ]);
    await workspace.mergeHost('root', 'gnu');
    await workspace.mergeHost('root', 'musl');
    expect(readdirSync(outside)).toEqual([]);
  });

  test('fills gaps of a root with the host, own files first', async () => {
    await workspace.unpack('root', [
      { path: 'usr/bin/env', type: 'file', mode: 0o755, content: Buffer.from('own') },
      { path: 'usr/lib/libc.so.6', type: 'file', mode: 0o755, content: Buffer.from('own') },
    ]);
    await workspace.mergeHost('root', 'gnu');
    const target = (path: string): string =>
      execFileSync('readlink', [workspace.path(path)], { encoding: 'utf8' }).trim();
    expect(target('root/usr/bin/sh')).toBe('/host/usr/bin/sh');
    expect(target('root/bin')).toBe('usr/bin');
    // Nothing of ours is in there: one link does.
    expect(target('root/usr/share')).toBe('/host/usr/share');
    expect(readFileSync(workspace.path('root/usr/bin/env'), 'utf8')).toBe('own');
    // Every supported host has multiarch folders: the host's file of the same name must not come before ours.
    const triplet = readdirSync('/usr/lib').find((name) => existsSync(`/usr/lib/${name}/libc.so.6`));
    expect(target(`root/usr/lib/${triplet}/libc.so.6`)).toBe('/usr/lib/libc.so.6');
    expect(target(`root/usr/lib/${triplet}/libm.so.6`)).toBe(`/host/usr/lib/${triplet}/libm.so.6`);
  });

  test('leaves nothing behind, whatever the build did to its directories', async () => {
    await workspace.write('t/d/f', '');
    chmodSync(workspace.path('t/d'), 0o000);
    await workspace.dispose();
    expect(readdirSync(join(directory, 'work')).filter((name) => name !== '.host-links')).toEqual([]);
  });

  test('leaves nothing of paths that are longer than the kernel takes, and says so as the fault of the build', async () => {
    await workspace.makeDirectory('out');
    const deeper =
      'n=$(printf "d%.0s" {1..200}); for i in {1..30}; do mkdir $n && cd $n; done; echo x > file; chmod 000 .';
    execFileSync('bash', ['-c', deeper], { cwd: workspace.path('out') });
    await expect(workspace.walk('out')).rejects.toMatchObject(unsafe);
    await workspace.dispose();
    expect(readdirSync(join(directory, 'work'))).toEqual([]);
  });

  test('a directory that a step took away, or put a link in the place of, is the fault of the build', async () => {
    await workspace.makeDirectory('out');
    symlinkSync('loop', workspace.path('loop'));
    symlinkSync('/etc', workspace.path('etc'));
    symlinkSync('/nonexistent', workspace.path('gone'));
    for (const path of ['missing', 'loop', 'etc', 'gone', 'missing/x', 'loop/x', 'gone/x']) {
      await expect(workspace.list(path)).rejects.toMatchObject(unsafe);
      await expect(workspace.walk(path)).rejects.toMatchObject(unsafe);
    }
    await expect(workspace.makeDirectory('loop/x')).rejects.toMatchObject(unsafe);
    await expect(workspace.makeDirectory('gone/x')).rejects.toMatchObject(unsafe);
  });

  test('sets every time, also of links and directories', async () => {
    await workspace.write('t/d/f', '');
    symlinkSync('f', workspace.path('t/d/l'));
    await workspace.setTimes('t', 1_000_000);
    const odd = Buffer.concat([Buffer.from(`${workspace.path('t')}/`), Buffer.from([0xff])]);
    writeFileSync(odd, '');
    await workspace.setTimes('t', 1_000_000);
    expect(lstatSync(odd).mtimeMs).toBe(1_000_000_000);
    for (const path of ['t', 't/d', 't/d/f', 't/d/l'])
      expect(lstatSync(workspace.path(path)).mtimeMs).toBe(1_000_000_000);
  });
});
