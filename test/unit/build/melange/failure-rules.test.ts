import { describe, expect, test } from 'vitest';
import { failureClass, isPassing } from '../../../../src/build/failure.ts';
import { classify, type MelangeFailure } from '../../../../src/build/melange/failure-rules.ts';

const failed = (more: Partial<MelangeFailure>): MelangeFailure => ({
  package: 'jq',
  melange: { runner: 'bubblewrap', network: false },
  error: 'failed to build package: unable to run package jq pipeline: unable to run pipeline: exit status 2',
  output: [],
  step: 'autoconf/make',
  exitCode: 1,
  hasStepEnded: false,
  wasDiskFull: true,
  ...more,
});

/** What melange says when it ends (`prefix` is the same for all that happens in a build), and what that is. */
const said: readonly (readonly [error: string, code: string, classOf: string])[] = [
  [
    'failed to load configuration: unable to decode configuration file "jq.yaml": yaml: line 9',
    'recipe.malformed',
    'recipe',
  ],
  [
    'failed to build package: compiling jq.yaml: compiling "jq" pipelines: compiling Pipeline[0]: unable to load pipeline: open pipelines/nope.yaml: file does not exist',
    'recipe.pipeline-unknown',
    'recipe',
  ],
  ['failed to build package: compiling jq.yaml: undefined input "x" to pipeline "fetch"', 'recipe.malformed', 'recipe'],
  [
    'failed to build package: unable to build guest: unable to lock image configuration: resolving apk packages: for arch "amd64": solving "nope" constraint: nothing provides "nope"',
    'solve.unsatisfiable',
    'dependency',
  ],
  [
    'failed to build package: unable to build guest: unable to generate image: installing apk packages: installing files: file conflict',
    'solve.unsatisfiable',
    'dependency',
  ],
  [
    'failed to build package: unable to build guest: reading index: signature verification failed for repository index, for all provided keys',
    'repository.corrupt',
    'dependency',
  ],
  [
    'failed to build package: unable to build guest: expanding busybox: control hash mismatch',
    'repository.corrupt',
    'dependency',
  ],
  [
    'failed to build package: unable to run package jq pipeline: build exceeded its timeout of 3s',
    'build.timeout',
    'package',
  ],
  ['failed to build package: unable to lint package jq: linter "setuidgid" failed', 'build.lint-failed', 'package'],
  [
    'failed to build package: unable to run package jq pipeline: unable to run pipeline: signal: killed',
    'build.step-failed',
    'package',
  ],
  [
    'unable to run containers using bubblewrap, specify --runner and one of ["bubblewrap"]',
    'sandbox.unavailable',
    'infrastructure',
  ],
  [
    'failed to get runner: Cannot connect to the Docker daemon at unix:///var/run/docker.sock',
    'sandbox.unavailable',
    'infrastructure',
  ],
  [
    'failed to build package: unable to start pod: qemu: failed to start qemu command',
    'sandbox.unavailable',
    'infrastructure',
  ],
  [
    'failed to build package: unable to populate workspace: write /x: no space left on device',
    'storage.full',
    'infrastructure',
  ],
  ['', 'build.step-failed', 'package'],
];

/** What a step printed before it ended with an error, and what that is. */
const printed: readonly (readonly [line: string, code: string, classOf: string])[] = [
  ['fetch: Expected sha256 does not match found: abc', 'source.hash-mismatch', 'upstream'],
  ['[git checkout] FAIL Expected commit abc for v1, found def', 'source.hash-mismatch', 'upstream'],
  [
    '[git checkout] FAIL expected commit abc on main, got def, set depth to -1 to attempt a reset',
    'source.hash-mismatch',
    'upstream',
  ],
  ['[git checkout] FAIL expected-commit abc is not the tip of branch', 'source.hash-mismatch', 'upstream'],
  ["wget: bad address 'ftp.gnu.org'", 'build.network-denied', 'recipe'],
  ['fatal: unable to access: Could not resolve host: github.com', 'build.network-denied', 'recipe'],
  [
    'dial tcp: lookup proxy.golang.org on 127.0.0.1:53: dial udp 127.0.0.1:53: connect: network is unreachable',
    'build.network-denied',
    'recipe',
  ],
  ['bwrap: setting up uid map: Permission denied', 'sandbox.unavailable', 'infrastructure'],
  ['bwrap: execvp /bin/sh: Exec format error', 'sandbox.unavailable', 'infrastructure'],
  ['bwrap: execvp /bin/sh: No such file or directory', 'build.step-failed', 'package'],
  ['ld: final link failed: No space left on device', 'storage.full', 'infrastructure'],
  ['jq.c:1: error: expected expression', 'build.step-failed', 'package'],
];

describe('a failure of melange', () => {
  test.each(said)('%s', (error, code, classOf) => {
    const found = classify(failed({ error }));
    expect([found.code, failureClass(found.code)]).toEqual([code, classOf]);
    expect(found.message).toMatch(/^jq: /);
    expect(isPassing(found)).toBe(classOf === 'infrastructure');
  });

  test.each(printed)('a step prints: %s', (line, code, classOf) => {
    const found = classify(failed({ output: ['checking for gcc... gcc', line, 'make: *** [all] Error 1'] }));
    expect([found.code, failureClass(found.code)]).toEqual([code, classOf]);
    expect(isPassing(found)).toBe(classOf === 'infrastructure');
  });

  test('with the network, a name that cannot be found is tried again', () => {
    const output = ['curl: (6) Could not resolve host: example.org'];
    const found = classify(failed({ melange: { runner: 'docker', network: true }, output }));
    expect(found).toMatchObject({ code: 'upstream.unreachable', retry: 'later' });
  });

  test('a full disk of a virtual machine is the recipe’s, which says how large it is', () => {
    const found = classify(
      failed({ melange: { runner: 'qemu', network: true }, output: ['tar: No space left on device'] }),
    );
    expect(found.code).toBe('build.step-failed');
  });

  test('a line may be as long as it likes, and of blanks', () => {
    const line = `could not resolve host: ${' '.repeat(1_000_000)}x`;
    const found = classify(failed({ output: [line] }));
    expect(found.code).toBe('build.network-denied');
    expect(found.message.length).toBeLessThan(600);
  });

  test.each([
    'tee: /dev/full: No space left on device',
    'bwrap: setting up uid map: Permission denied',
    'bwrap: execvp /bin/sh: Exec format error',
  ])('what is only a program’s word is no fault of the machine: %s', (line) => {
    const found = classify(failed({ output: [line], hasStepEnded: true, wasDiskFull: false }));
    expect([found.code, isPassing(found)]).toEqual(['build.step-failed', false]);
  });

  test('what was printed long before is not why', () => {
    const old = ['wget: bad address', ...Array.from({ length: 60 }, (_, at) => `line ${at}`)];
    expect(classify(failed({ output: old })).code).toBe('build.step-failed');
  });

  test('says the step and its exit code, or else what melange said, on one line', () => {
    expect(classify(failed({})).message).toBe('jq: the step autoconf/make ended with exit code 2');
    const error = 'failed to test package: solving:\n  nothing provides "x"';
    expect(classify(failed({ error })).message).toBe(
      'jq: melange says: failed to test package: solving:; nothing provides "x"',
    );
    expect(classify(failed({ error: '', step: undefined, exitCode: 137 })).message).toBe(
      'jq: melange ended with exit code 137',
    );
  });
});
