import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { processBrake } from '../../../../src/adapters/sandbox-processes.ts';
import { type BubblewrapFacts, bubblewrapScript } from '../../../../src/build/melange/bubblewrap.ts';

const folder = mkdtempSync(join(tmpdir(), 'regrow-bwrap-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
/** Prints its arguments, one a line. */
const program = join(folder, 'real bwrap');
writeFileSync(program, '#!/bin/sh\nfor one do printf "%s\\n" "$one"; done\n', { mode: 0o755 });

function run(facts: Partial<BubblewrapFacts>, ...args: readonly string[]): string[] {
  const script = join(folder, 'bwrap');
  writeFileSync(
    script,
    bubblewrapScript({
      program,
      network: false,
      isRoot: false,
      statusFile: join(folder, 'its status'),
      processBrake: processBrake(100),
      repositories: [],
      ...facts,
    }),
    {
      mode: 0o755,
    },
  );
  return execFileSync(script, args, { encoding: 'utf8' }).trimEnd().split('\n');
}

const status = ['--json-status-fd', '9'];
const given = ['--bind', '/guest', '/', '--clearenv', '--setenv', 'A', 'b c', '/bin/sh', '-c', 'echo "$X"; exit 0'];

describe('the bwrap that melange finds', () => {
  test('hands on what melange asks for, without network', () => {
    expect(run({}, ...given)).toEqual([...status, '--unshare-net', ...given]);
    expect(run({ network: true }, ...given)).toEqual([...status, ...given]);
  });

  test('is nobody’s root', () => {
    const own = ['--cap-drop', 'ALL', '--unshare-user', '--uid', '1000', '--gid', '1000'];
    expect(run({ network: true, isRoot: true }, ...given)).toEqual([...status, ...own, ...given]);
  });

  test.each([
    ['0', '1000'],
    ['00', '1000'],
    ['4294967296', '1000'],
    ['-0', '1000'],
    ['root', '1000'],
    ['', '1000'],
    ['65532', '65532'],
  ])('where the daemon is root, a recipe that runs as %j runs as %s', (asked, uid) => {
    const before = ['--clearenv', '--unshare-user', '--uid'];
    const after = ['--gid', '0', '--setenv', '--uid', '0', '/bin/sh', '-c', 'id'];
    const [args, unchanged] = [true, false].map((isRoot) => run({ isRoot }, ...before, asked, ...after));
    expect(args).toEqual([...status, '--unshare-net', '--cap-drop', 'ALL', ...before, uid, ...after]);
    expect(unchanged).toEqual([...status, '--unshare-net', ...before, asked, ...after]);
  });

  test('settings of the kernel cannot be written', () => {
    const after = ['--clearenv', '--setenv', '--proc', '/proc', '/bin/sh'];
    const args = run({}, '--proc', '/proc', ...after);
    const kept = ['--proc', '/proc', '--ro-bind', '/proc/sys', '/proc/sys'];
    expect(args).toEqual([...status, '--unshare-net', ...kept, ...after]);
  });

  test('tells git where repositories are, after melange has cleared the environment', () => {
    const repository = "https://example.org/it's $(id) 'x'";
    const args = run(
      {
        repositories: [
          { repository, folder: 'git/0' },
          { repository: 'b', folder: 'git/1' },
        ],
      },
      ...given,
    );
    const at = args.indexOf('--clearenv');
    expect(args.slice(0, at + 1)).toEqual([...status, '--unshare-net', ...given.slice(0, 4)]);
    const settings = [
      ['GIT_CONFIG_COUNT', '2'],
      ['GIT_CONFIG_KEY_0', 'url.file:///var/cache/melange/git/0.insteadOf'],
      ['GIT_CONFIG_VALUE_0', repository],
      ['GIT_CONFIG_KEY_1', 'url.file:///var/cache/melange/git/1.insteadOf'],
      ['GIT_CONFIG_VALUE_1', 'b'],
    ];
    expect(args.slice(at + 1, at + 16)).toEqual(settings.flatMap((setting) => ['--setenv', ...setting]));
    expect(args.slice(at + 16)).toEqual(given.slice(4));
  });

  test('hands on nothing that was left open in the daemon', () => {
    const script = join(folder, 'open');
    const lister = join(folder, 'lister');
    writeFileSync(lister, '#!/bin/sh\nls /proc/self/fd | xargs\n', { mode: 0o755 });
    const statusFile = join(folder, 'status');
    const facts = { program: lister, network: true, isRoot: false, statusFile, processBrake: processBrake(100) };
    writeFileSync(script, bubblewrapScript({ ...facts, repositories: [] }), { mode: 0o755 });
    const secret = openSync(lister, 'r');
    const stdio = ['ignore', 'pipe', 'inherit', ...Array<'ignore'>(37).fill('ignore'), secret] as const;
    const { stdout } = spawnSync(script, { stdio: [...stdio], encoding: 'utf8' });
    closeSync(secret);
    // The last is that of the list itself.
    expect(stdout.trim()).toBe('0 1 2 3 9');
  });
});
