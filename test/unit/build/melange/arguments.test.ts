import { describe, expect, test } from 'vitest';
import {
  type ArgumentFacts,
  buildArguments,
  melangeEnvironment,
  testArguments,
} from '../../../../src/build/melange/arguments.ts';
import type { MelangePlace } from '../../../../src/build/melange/context.ts';
import type { BuildRequest } from '../../../../src/model/build.ts';

const place: MelangePlace = {
  path: (directory) => `/work/${directory}`,
  recipeFile: 'jq.yaml',
  up: '../',
  keyFile: 'keys/snapshot.rsa.pub',
  melange: { version: 'v0.59.1', runner: 'bubblewrap', network: false },
};

function facts(more: Partial<ArgumentFacts> = {}, target: BuildRequest['target'] = 'aarch64-musl'): ArgumentFacts {
  const request = {
    package: 'jq',
    version: '1.8.1',
    epoch: 2,
    target,
    recorded: { commit: 'a'.repeat(40), sourceDateEpoch: 7 },
  } as unknown as BuildRequest;
  return { request, hasPipelines: false, namespace: 'box', recipeRepository: undefined, ...more };
}

/** The value after a flag. */
function valueOf(args: readonly string[], flag: string): string | undefined {
  const at = args.indexOf(flag);
  return at === -1 ? undefined : args[at + 1];
}

describe('melange build', () => {
  test('one architecture, a folder of its own, no index, no key, the snapshot alone', () => {
    const args = buildArguments(facts(), place);
    expect(args.slice(0, 3)).toEqual(['--gcplog', 'build', 'jq.yaml']);
    expect(args).toContain('--generate-index=false');
    expect(args).not.toContain('--signing-key');
    expect(args.filter((one) => one === '--arch')).toHaveLength(1);
    expect(valueOf(args, '--arch')).toBe('aarch64');
    expect(valueOf(args, '--out-dir')).toBe('/work/out');
    expect(valueOf(args, '--cache-dir')).toBe('/work/cache');
    expect(valueOf(args, '--runner')).toBe('bubblewrap');
    expect(valueOf(args, '--override-host-triplet-libc-substitution-flavor')).toBe('musl');
    expect(valueOf(args, '--git-commit')).toBe('a'.repeat(40));
    expect(args).not.toContain('--git-repo-url');
    expect(args).not.toContain('--pipeline-dirs');
  });

  test('nothing of what it leaves in a package says in which folder it was', () => {
    const args = buildArguments(facts(), place);
    expect(valueOf(args, '--repository-append')).toBe('../repository');
    expect(valueOf(args, '--keyring-append')).toBe('../keys/snapshot.rsa.pub');
  });

  test('pipelines of the distribution and the address of the recipes, where there are any', () => {
    const args = buildArguments(facts({ hasPipelines: true, recipeRepository: 'https://github.com/o/os' }), place);
    expect(valueOf(args, '--pipeline-dirs')).toBe('/work/pipelines');
    expect(valueOf(args, '--git-repo-url')).toBe('https://github.com/o/os');
  });
});

describe('melange test', () => {
  test('the version that was just built, from a repository that has it', () => {
    const args = testArguments(facts({}, 'x86_64-gnu'), place);
    expect(args.slice(0, 4)).toEqual(['--gcplog', 'test', 'jq.yaml', 'jq=1.8.1-r2']);
    expect(valueOf(args, '--repository-append')).toBe('../test-repository');
    expect(valueOf(args, '--cache-dir')).toBe('/work/cache');
    expect(valueOf(args, '--arch')).toBe('x86_64');
    // It knows no other C library than glibc.
    expect(args).not.toContain('--override-host-triplet-libc-substitution-flavor');
  });
});

test('the environment of melange is ours alone, and its bwrap comes first', () => {
  const environment = melangeEnvironment(place, 1_700_000_000, { PATH: '/evil', QEMU_KERNEL_IMAGE: '/k' });
  expect(environment).toMatchObject({
    SOURCE_DATE_EPOCH: '1700000000',
    QEMU_KERNEL_IMAGE: '/k',
    TMPDIR: '/work/tmp',
    HOME: '/work/home',
    TZ: 'UTC',
  });
  expect(environment['PATH']?.split(':')[0]).toBe('/work/bin');
});
