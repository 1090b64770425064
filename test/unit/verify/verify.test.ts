import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { PackagedTree } from '../../../src/build/packaging.ts';
import { signApk } from '../../../src/formats/apk.ts';
import { assembleApk } from '../../../src/formats/apk-assembly.ts';
import type { TarEntry } from '../../../src/formats/tar.ts';
import type { Artifact } from '../../../src/model/artifact.ts';
import type { BuildResult } from '../../../src/model/build.ts';
import { sha256 } from '../../../src/model/canonical.ts';
import type { Finding } from '../../../src/model/finding.ts';
import { verdictSchema } from '../../../src/model/verdict.ts';
import { gateSetVersion, gates } from '../../../src/verify/registry.ts';
import { artifactsStamp, type VerifyInput, verifyBuild } from '../../../src/verify/verify.ts';
import { makePackage } from '../../support/package-trees.ts';
import { artifactOf } from '../../support/packages.ts';
import { createTestSigner } from '../../support/test-signer.ts';

let tool: PackagedTree;
let tool2: PackagedTree;
beforeAll(async () => {
  tool = await makePackage({ name: 'tool', nodes: { 'usr/bin/tool': { content: '#!/bin/sh\n', mode: 0o755 } } });
  tool2 = await makePackage({ name: 'tool-doc', input: { origin: 'tool' } });
});

function resultOf(artifacts: readonly Artifact[], more: Partial<BuildResult> = {}): BuildResult {
  return {
    schema: 1,
    buildKey: 'key',
    request: 'request',
    outcome: 'passed',
    artifacts: [...artifacts],
    tests: [{ package: 'tool', outcome: 'passed' }],
    log: 'staging/key/log',
    milliseconds: 1,
    builder: 'test',
    ...more,
  };
}

function inputOf(packages: readonly PackagedTree[], more: Partial<VerifyInput> = {}): VerifyInput {
  return {
    result: resultOf(packages.map((one) => one.artifact)),
    buildKey: 'key',
    package: 'tool',
    version: '1.0.0-r0',
    target: 'x86_64-gnu',
    makes: packages.map(({ artifact: { info } }) => ({ name: info.name, tested: info.name === 'tool' })),
    files: new Map(
      packages.map(({ artifact, bytes }) => [`${artifact.info.name}-${artifact.info.version}.apk`, bytes]),
    ),
    published: [],
    together: [],
    findings: { before: [], after: [] },
    at: '2026-11-24T00:00:00.000Z',
    ...more,
  };
}

function outcome(input: VerifyInput, gate: string): string {
  const result = verifyBuild(input).gates.find((one) => one.gate === gate);
  return `${result?.outcome}: ${result?.because}`;
}

function finding(advisory: string, more: Partial<Finding> = {}): Finding {
  return {
    advisory,
    aliases: [],
    package: 'tool',
    version: '1.0.0',
    component: 'pkg:github/a/tool@1.0.0',
    fixedIn: [],
    ...more,
  };
}

describe('the gates', () => {
  it('are the files of their folder', () => {
    const files = readdirSync(resolve('src/verify/gates')).map((file) => file.replace(/\.ts$/, ''));
    expect(gates.map((gate) => gate.name).toSorted()).toEqual(files.toSorted());
  });

  it('all pass for a good build, and the verdict is the same each time', () => {
    const verdict = verifyBuild(inputOf([tool, tool2]));
    expect(verdict).toMatchObject({ passed: true, gateSet: gateSetVersion, buildKey: 'key', package: 'tool' });
    expect(verdict.gates.map(({ gate, outcome: said }) => `${gate} ${said}`)).toEqual([
      'well-formed passed',
      'datahash passed',
      'recipe-tests passed',
      'no-new-vulnerability passed',
      'no-dangling-so passed',
      'installable passed',
      'reproducible waived',
    ]);
    expect(verdictSchema.parse(verdict)).toEqual(verdict);
    expect(verifyBuild(inputOf([tool, tool2]))).toEqual(verdict);
  });

  it('all give an answer for bytes that are no package', () => {
    const broken = inputOf([tool], { files: new Map([['tool-1.0.0-r0.apk', Buffer.from('<html>')]]) });
    const verdict = verifyBuild(broken);
    expect(verdict.passed).toBe(false);
    expect(verdict.gates).toHaveLength(gates.length);
    expect(outcome(broken, 'well-formed')).toMatch(/^failed: tool-1.0.0-r0.apk: not an apk package/);
  });
});

describe('well-formed', () => {
  it.each<[string, () => VerifyInput, RegExp]>([
    ['a file that is not there', () => inputOf([tool], { files: new Map() }), /is not in staging/],
    ['no packages', () => inputOf([]), /the build has no packages/],
    ['another version', () => inputOf([tool], { version: '1.0.1-r0' }), /has version 1\.0\.0-r0, not 1\.0\.1-r0/],
    ['another origin', () => inputOf([tool], { package: 'other' }), /has origin tool, not other/],
    [
      'the same package twice',
      () => inputOf([tool], { result: resultOf([tool.artifact, tool.artifact]) }),
      /tool is there twice/,
    ],
  ])('fails for %s', (_, input, because) => {
    expect(outcome(input(), 'well-formed')).toMatch(because);
  });

  it('fails for a builder that says other things of a package than the package', () => {
    const lie = {
      ...tool.artifact,
      info: { ...tool.artifact.info, depends: [] as string[], provides: ['cmd:sudo=1'] },
    };
    expect(outcome(inputOf([tool], { result: resultOf([lie]) }), 'well-formed')).toMatch(/describes itself otherwise/);
    expect(outcome(inputOf([tool], { target: 'aarch64-gnu' }), 'well-formed')).toMatch(/is for x86_64, not aarch64/);
  });

  it('fails for what the recipe does not make, for another target, and for the result of another build', async () => {
    const musl = await makePackage({ name: 'busybox', input: { origin: 'tool', target: 'x86_64-musl' } });
    const input = inputOf([musl], { makes: [{ name: 'tool', tested: false }], buildKey: 'other' });
    const said = outcome(input, 'well-formed');
    expect(said).toContain('the result is of build key, not of other');
    expect(said).toContain('busybox is not a package of the recipe');
    expect(said).toContain('tool is a package of the recipe and was not built');
    expect(said).toContain('busybox is for x86_64-musl, not x86_64-gnu');
    expect(verifyBuild(input)).toMatchObject({ buildKey: 'other', passed: false });
  });

  it.each<[string, TarEntry, RegExp]>([
    [
      'a setuid file',
      { path: 'bin/sh', type: 'file', mode: 0o4755, content: Buffer.from('#!') },
      /bin\/sh has mode 4755/,
    ],
    ['a name at the top that apk drops', { path: '.hidden', type: 'directory', mode: 0o755 }, /starts with a dot/],
    [
      'a file with capabilities',
      {
        path: 'bin/ping',
        type: 'file',
        mode: 0o755,
        content: Buffer.from('#!'),
        pax: { 'SCHILY.xattr.security.capability': 'x', 'SCHILY.xattr.user.note': 'y' },
      },
      /bin\/ping has security\.capability: rights beyond its mode are not allowed$/,
    ],
    ['a link above the root', { path: 'up', type: 'symlink', mode: 0o777, link: '../x' }, /above the root/],
  ])('fails for %s, whoever packaged it', async (_, entry, because) => {
    const { info } = tool.artifact;
    const bom = `var/lib/db/sbom/tool-${info.version}.spdx.json`;
    const made = await assembleApk({
      info,
      configuration: 'package:\n  name: tool\n',
      scriptlets: {},
      entries: [entry, { path: bom, type: 'file', mode: 0o644, content: Buffer.from('{}') }],
      sourceDateEpoch: 0,
    });
    const artifact = { ...tool.artifact, ...made, digest: sha256(made.bytes), bytes: made.bytes.length };
    expect(outcome(inputOf([{ artifact, bytes: made.bytes }]), 'well-formed')).toMatch(because);
  });

  it.each<[string, readonly TarEntry[], RegExp]>([
    [
      'a file below a link: a machine would put it where the link leads',
      [
        { path: 'lib', type: 'symlink', mode: 0o777, link: 'etc' },
        { path: 'lib/passwd', type: 'file', mode: 0o644 },
      ],
      /lib\/passwd is below lib, a symlink/,
    ],
    [
      'one path twice',
      [
        { path: 'a', type: 'file', mode: 0o644 },
        { path: 'a', type: 'directory', mode: 0o755 },
      ],
      /a is there twice/,
    ],
    [
      'a hard link to a link',
      [
        { path: 'a', type: 'symlink', mode: 0o777, link: 'etc/shadow' },
        { path: 'b', type: 'hardlink', mode: 0o644, link: 'a' },
      ],
      /b is a hard link to a, which is no file/,
    ],
  ])('fails for %s', async (_, entries, because) => {
    const { info } = tool.artifact;
    const made = await assembleApk({ info, configuration: '', scriptlets: {}, entries, sourceDateEpoch: 0 });
    const artifact = { ...tool.artifact, ...made, digest: sha256(made.bytes), bytes: made.bytes.length };
    expect(outcome(inputOf([{ artifact, bytes: made.bytes }]), 'well-formed')).toMatch(because);
  });

  it('fails for a package that answers to names, or takes files, that its recipe does not let it', async () => {
    const claims = { provides: ['tool-virtual=1'], replaces: ['tool-old'], providerPriority: 5 };
    const makes = [{ name: 'tool', tested: true, claims }];
    const honest = await makePackage({
      name: 'tool',
      nodes: { 'usr/bin/tool': { content: '#!/bin/sh\n', mode: 0o755 } },
      recipe: claims,
    });
    expect(honest.artifact.info.provides).toEqual(['cmd:tool=1.0.0-r0', 'tool-virtual=1']);
    expect(outcome(inputOf([honest], { makes }), 'well-formed')).toMatch(/^passed/);
    const liar = await makePackage({
      name: 'tool',
      recipe: { provides: ['openssl=99'], replaces: ['tool-old', 'glibc'], providerPriority: 1000 },
    });
    const said = outcome(inputOf([liar], { makes }), 'well-formed');
    expect(said).toContain('provides openssl=99, which its recipe does not say');
    expect(said).toContain('replaces glibc, which its recipe does not say');
    expect(said).toContain('another priority');
    expect(said).not.toContain('replaces tool-old');
  });

  it('fails for what would make the index unreadable', async () => {
    const provides = Array.from({ length: 6000 }, (_, i) => `cmd:command-number-${i}=1.0.0-r0`);
    const wide = await makePackage({ name: 'tool', recipe: { provides } });
    expect(outcome(inputOf([wide]), 'well-formed')).toMatch(/cannot be in an index: its p: line .* and apk reads/);
  });

  it('fails for a result that was changed after it was recorded, and for one of another request', () => {
    const recorded = artifactsStamp([tool.artifact]);
    expect(outcome(inputOf([tool], { artifacts: recorded, request: 'request' }), 'well-formed')).toMatch(/^passed/);
    const later = inputOf([tool], { artifacts: artifactsStamp([tool2.artifact]), request: 'other' });
    expect(outcome(later, 'well-formed')).toMatch(
      /is of the request request, not of other; the result is not what it was when it was recorded/,
    );
    expect(verifyBuild(later)).toMatchObject({ passed: false, artifacts: recorded });
  });

  it('fails for a package that its builder signed', () => {
    const signed = signApk(tool.bytes, createTestSigner(), 0);
    const input = inputOf([tool], { files: new Map([['tool-1.0.0-r0.apk', signed]]) });
    expect(outcome(input, 'well-formed')).toMatch(/is not the file that was built.*is signed/);
  });
});

describe('recipe-tests', () => {
  it('is waived without tests, and fails with the message of a failed one', () => {
    const untold = resultOf([tool.artifact], { tests: [] });
    const makes = [{ name: 'tool', tested: false }];
    expect(outcome(inputOf([tool], { result: untold, makes }), 'recipe-tests')).toBe('waived: the recipe has no tests');
    expect(outcome(inputOf([tool], { result: untold }), 'recipe-tests')).toBe(
      'failed: tool has a test in the recipe, and the builder says nothing of it',
    );
    const failure = {
      class: 'package' as const,
      code: 'build.step-failed',
      message: 'tool --version said 0.9',
      tail: [],
    };
    const result = resultOf([tool.artifact], { tests: [{ package: 'tool', outcome: 'failed', failure }] });
    expect(outcome(inputOf([tool], { result }), 'recipe-tests')).toBe('failed: tool: tool --version said 0.9');
    expect(verifyBuild(inputOf([tool], { result })).passed).toBe(false);
  });
});

describe('no-new-vulnerability', () => {
  const published = [artifactOf({ name: 'tool', version: '0.9.0-r0' })];

  it('passes when nothing is new, by whatever name', () => {
    const before = [finding('CVE-1', { aliases: ['GHSA-1'] }), finding('CVE-2')];
    const after = [finding('GHSA-1')];
    expect(outcome(inputOf([tool], { published, findings: { before, after } }), 'no-new-vulnerability')).toBe(
      'passed: 1 known vulnerability, none of them new',
    );
  });

  it('fails for one that the published version does not have, and says what fixes it', () => {
    const after = [finding('CVE-3', { fixedIn: ['1.0.1'] })];
    expect(outcome(inputOf([tool], { published, findings: { before: [], after } }), 'no-new-vulnerability')).toBe(
      'failed: tool 1.0.0 has CVE-3, which the published version does not have; fixed in 1.0.1',
    );
  });

  it('looks at this package only', () => {
    const after = [finding('CVE-4', { package: 'other' })];
    expect(outcome(inputOf([tool], { published, findings: { before: [], after } }), 'no-new-vulnerability')).toMatch(
      /^passed: 0 known/,
    );
  });

  it('is waived for a first version', () => {
    const findings = { before: [], after: [finding('CVE-5')] };
    expect(outcome(inputOf([tool], { findings }), 'no-new-vulnerability')).toBe(
      'waived: the first version of tool; known in it: CVE-5',
    );
  });
});

describe('what a soname change leaves behind', () => {
  const library = (version: string, major: number) =>
    artifactOf({ name: 'libtally', version, provides: [`so:libtally.so.${major}=${major}`] });
  const user = (version: string, major: number) =>
    artifactOf({ name: 'count', version, depends: [`so:libtally.so.${major}`] });
  const published = [library('1.0.0-r0', 1), user('1.0.0-r0', 1)];

  it('fails no-dangling-so, naming who loses what', () => {
    const input = inputOf([], { published, result: resultOf([library('2.0.0-r0', 2)]) });
    expect(outcome(input, 'no-dangling-so')).toBe(
      'failed: count 1.0.0-r0 needs so:libtally.so.1, which libtally 1.0.0-r0 provides now and nothing would any more',
    );
  });

  it('passes when the dependents come along', () => {
    const together = [user('1.0.0-r1', 2)];
    const input = inputOf([], { published, together, result: resultOf([library('2.0.0-r0', 2)]) });
    expect(outcome(input, 'no-dangling-so')).toBe('passed: every shared object that is needed is provided');
  });

  it('fails installable for a package whose need nobody meets', () => {
    const input = inputOf([], { published, result: resultOf([user('2.0.0-r0', 9)]) });
    expect(outcome(input, 'installable')).toMatch(
      /^failed: count 2\.0\.0-r0 cannot be installed: .*so:libtally\.so\.9/,
    );
    expect(outcome(input, 'no-dangling-so')).toBe(
      'failed: count 2.0.0-r0 needs so:libtally.so.9, which nothing provides',
    );
  });
});

describe('reproducible', () => {
  const stamped = (text: string) => makePackage({ name: 'tool', nodes: { 'usr/share/stamp': text } });
  const policies = ['fail', 'report'] as const;

  /** A build beside a second one, which may have made other packages. */
  function beside(
    first: PackagedTree,
    second: readonly PackagedTree[],
    difference: (typeof policies)[number],
    more: Partial<BuildResult> = {},
  ): VerifyInput {
    const { result, files } = inputOf(second);
    return inputOf([first], { second: { result: { ...result, builder: 'other', ...more }, files, difference } });
  }

  it.each(policies)('passes for the same bytes, and the verdict says with what it was compared (%s)', (difference) => {
    const input = beside(tool, [tool], difference);
    expect(outcome(input, 'reproducible')).toBe(
      'passed: 1 package the same, byte for byte; built by test and by other',
    );
    expect(verifyBuild(input)).toMatchObject({ passed: true, rebuild: difference });
    expect(outcome(beside(tool, [tool], difference, { builder: 'test' }), 'reproducible')).toContain(
      'both times by test',
    );
  });

  it.each(policies)('says in what they differ, and holds it only where it is to (%s)', async (difference) => {
    const input = beside(await stamped('at 9\n'), [await stamped('at 10\n')], difference);
    const verdict = verifyBuild(input);
    const gate = verdict.gates.find((one) => one.gate === 'reproducible');
    expect(verdict.passed).toBe(difference === 'report');
    expect(gate?.outcome).toBe(difference === 'report' ? 'waived' : 'failed');
    expect(gate?.because).toMatch(
      /^it is not reproducible \(built by test and by other\): tool: usr\/share\/stamp differs in line 1: “at 9” and “at 10”/,
    );
    expect(gate?.differences).toMatchObject([
      { package: 'tool', path: 'usr/share/stamp', kind: 'content', offset: 3 },
      { path: '.PKGINFO', kind: 'field' },
    ]);
    expect(verdictSchema.parse(verdict)).toEqual(verdict);
  });

  it('names a few differences and carries more of them', async () => {
    const many = (text: string) =>
      makePackage({
        name: 'tool',
        nodes: Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`usr/share/${i}`, text])),
      });
    const gate = verifyBuild(beside(await many('a'), [await many('b')], 'fail')).gates.at(-1);
    expect(gate?.because).toMatch(/; and 57 more$/);
    expect(gate?.differences).toHaveLength(20);
  });

  it('fails for a package that only one of them made, a second build that failed, and a file that is gone', () => {
    expect(outcome(beside(tool, [tool, tool2], 'fail'), 'reproducible')).toContain(
      'tool-doc is only in the second build',
    );
    expect(outcome(beside(tool, [], 'fail'), 'reproducible')).toContain('tool is only in the first build');
    const failure = { class: 'package' as const, code: 'build.step-failed', message: 'exit code 1', tail: [] };
    const failed = beside(tool, [], 'fail', { outcome: 'failed', failure });
    expect(outcome(failed, 'reproducible')).toContain('failed: it is not reproducible');
    expect(outcome(failed, 'reproducible')).toContain('the second build failed: exit code 1');
    const { second, ...input } = beside(tool, [tool], 'fail');
    if (second === undefined) throw new Error('there is no second build');
    expect(outcome({ ...input, second: { ...second, files: new Map() } }, 'reproducible')).toContain(
      'tool-1.0.0-r0.apk of the second build is not in staging',
    );
    const broken = new Map([['tool-1.0.0-r0.apk', Buffer.from('<html>')]]);
    expect(outcome({ ...input, second: { ...second, files: broken } }, 'reproducible')).toContain('cannot be compared');
  });
});
