import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runHostBuild } from '../../../src/build/host/engine.ts';
import { readApk } from '../../../src/formats/apk.ts';
import type { BuildRequest } from '../../../src/model/build.ts';
import { digestOf } from '../../../src/model/canonical.ts';
import { stagingKey } from '../../../src/ports/objects.ts';
import { createEngineFixture, type EngineFixture, fixtureRecipe, hostArch } from '../../support/host-engine.ts';

const target = `${hostArch}-gnu` as const;
let fixture: EngineFixture;

beforeAll(async () => {
  fixture = await createEngineFixture({ stepTimeout: 4_000, outputLimit: 100_000, processLimit: 100 });
});
afterAll(() => fixture.close());

/** A recipe whose pipeline is the given steps. */
function recipe(steps: string, more = ''): string {
  const indented = steps
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
  return `package:
  name: hello
  version: 1.0
  epoch: 0
environment:
  contents:
    packages: [busybox]
pipeline:
${indented}
${more}`;
}

function runs(script: string): string {
  const lines = script.split('\n').map((line) => `      ${line}`);
  return recipe(`- name: work\n  runs: |\n${lines.join('\n').replaceAll(/^ {6}/gm, '    ')}`);
}

async function build(text: string, more: Partial<BuildRequest> = {}) {
  const result = await fixture.build(fixture.request(text, target, more));
  return { result, log: await fixture.log(result), failure: result.failure };
}

describe('a build that fails is a result that says whose fault it is', () => {
  test.each([
    ['a step that fails', 'echo working; false', 'build.step-failed', /step work ended with exit code 1/],
    ['a failure in a pipe', 'false | cat', 'build.step-failed', /exit code 1/],
    ['an endless log', 'yes', 'build.log-limit', /100000 bytes|more than/],
    ['a step without end', 'sleep 100', 'build.timeout', /longer than 4 s/],
    [
      'too many processes',
      'i=0; while [ $i -lt 150 ]; do sleep 30 & i=$((i+1)); done; wait',
      'build.process-limit',
      /100/,
    ],
    ['a fork bomb', 'bomb() { bomb | bomb & }; bomb; sleep 60', 'build.process-limit', /100/],
    ['nothing installed', 'true', 'build.output-missing', /installed nothing/],
    ['a place for packages that is gone', 'rm -rf melange-out', 'build.output-missing', /installed nothing/],
    [
      'a link in the place of all packages',
      'rm -rf melange-out; ln -s /etc melange-out',
      'build.output-unsafe',
      /melange-out: it is no directory/,
    ],
    [
      'a path that is too long',
      'cd melange-out/hello; n=$(printf "d%.0s" $(seq 200)); for i in $(seq 30); do mkdir $n && cd $n; done',
      'build.output-unsafe',
      /longer than 4096 bytes/,
    ],
    ['a package of another name', 'mkdir -p ../build/melange-out/other', 'build.output-unsafe', /melange-out\/other/],
    [
      'a setuid file',
      'mkdir -p ${{targets.destdir}}/bin; cp /bin/true ${{targets.destdir}}/bin/x; chmod 4755 ${{targets.destdir}}/bin/x',
      'build.output-unsafe',
      /bin\/x has mode 4755/,
    ],
    [
      'a link out of the package',
      'mkdir -p ${{targets.destdir}}/etc; ln -s ../../../../../etc/shadow ${{targets.destdir}}/etc/x',
      'build.output-unsafe',
      /etc\/x/,
    ],
    [
      'a file that is put into another package than those of the recipe',
      'mkdir -p ${{targets.outdir}}/glibc/usr/lib; touch ${{targets.outdir}}/glibc/usr/lib/libc.so.6',
      'build.output-unsafe',
      /melange-out\/glibc/,
    ],
    ['a file beside the packages', 'touch ${{targets.outdir}}/stray', 'build.output-unsafe', /melange-out\/stray/],
    ['a device', 'mkdir -p ${{targets.destdir}}; mkfifo ${{targets.destdir}}/pipe', 'build.output-unsafe', /pipe/],
    [
      'an output directory that is a link to the host',
      'rm -rf melange-out/hello; ln -s /etc melange-out/hello',
      'build.output-unsafe',
      /symlink|directory/,
    ],
    ['a file written outside', 'touch /usr/share/x', 'build.step-failed', /exit code 1/],
    ['the network', 'exec 3<>/dev/tcp/127.0.0.1/1', 'build.step-failed', /exit code 1/],
  ])('%s', async (_name, script, code, message) => {
    const { result, log, failure } = await build(runs(script));
    expect(failure, log).toMatchObject({ class: 'package', code, message: expect.stringMatching(message) });
    expect(result).toMatchObject({ outcome: 'failed', artifacts: [] });
    expect(log).toContain('==> failed:');
    expect(await fixture.objects.list(stagingKey(result.buildKey, ''))).toEqual([
      stagingKey(result.buildKey, 'log'),
      stagingKey(result.buildKey, 'result.json'),
    ]);
  });

  test('packages that together are more than fits into memory, before any of them is read', async () => {
    const subpackages = ['one', 'two', 'three'].map((name) => `  - name: ${name}`);
    const script = 'for name in one two three; do truncate -s 1200M "melange-out/$name/sparse"; done';
    const { failure } = await build(recipe(`- runs: ${script}`, `subpackages:\n${subpackages.join('\n')}\n`));
    expect(failure).toMatchObject({
      code: 'build.output-unsafe',
      message: expect.stringContaining(
        'in 3 files and directories; all packages of a build together may have 3072 MiB',
      ),
    });
  });

  test('says which step failed, and how the log ended', async () => {
    const { failure } = await build(runs('echo the reason; exit 3'));
    expect(failure).toMatchObject({ step: 'work' });
    expect(failure?.tail).toContain('the reason');
  });

  test('a test that fails fails the build, and names the package', async () => {
    const more = 'test:\n  pipeline:\n    - name: run it\n      runs: echo wrong answer; exit 1\n';
    const { result, failure } = await build(
      recipe('- runs: mkdir -p "${{targets.destdir}}/etc"; touch "${{targets.destdir}}/etc/hello"', more),
      { testEnvironments: { hello: { host: ['busybox'], packages: [] } } },
    );
    expect(result.outcome).toBe('failed');
    expect(result.tests).toMatchObject([{ package: 'hello', outcome: 'failed', failure: { step: 'run it' } }]);
    expect(failure?.tail).toContain('wrong answer');
  });

  test('a test whose package needs what nobody provides is the fault of a dependency', async () => {
    const more = 'test:\n  pipeline:\n    - runs: "true"\n';
    const steps =
      '- runs: mkdir -p "${{targets.destdir}}/usr/bin"; cp -L /bin/true "${{targets.destdir}}/usr/bin/hello"';
    const { failure } = await build(recipe(steps, more));
    expect(failure).toMatchObject({
      class: 'dependency',
      code: 'solve.unsatisfiable',
      message: expect.stringMatching(/so:(libc|ld-linux).*, which hello-1.0-r0 needs/),
    });
  });
});

describe('sources', () => {
  const fetch = (more: string) =>
    recipe(`- uses: fetch\n  with:\n    uri: https://upstream.example.org/x.tar.gz\n${more}`);

  test('a tarball that is not the one that the recipe pins', async () => {
    fixture.served.set('/x.tar.gz', { body: Buffer.from('not it') });
    const { failure } = await build(fetch(`    expected-sha256: ${'0'.repeat(64)}`));
    expect(failure).toMatchObject({ class: 'upstream', code: 'source.hash-mismatch', step: 'fetch' });
    expect(failure?.message).toContain(createHash('sha256').update('not it').digest('hex'));
  });

  test('a web page with status 200', async () => {
    fixture.served.set('/x.tar.gz', { body: Buffer.from('<!DOCTYPE html><p>busy</p>'), type: 'text/html' });
    const { failure } = await build(fetch(`    expected-sha256: ${'0'.repeat(64)}`));
    expect(failure).toMatchObject({ class: 'upstream', code: 'upstream.answer-invalid' });
  });

  test('a server that is not there may come back: that is no result', async () => {
    fixture.served.delete('/x.tar.gz');
    const uri = 'http://127.0.0.1:1/x.tar.gz';
    const text = fetch(`    expected-sha256: ${'0'.repeat(64)}`).replace(/https.*gz/, uri);
    await expect(build(text)).rejects.toMatchObject({ code: 'upstream.unreachable', retry: 'later' });
  });

  test('a tag that moved', async () => {
    const text = fixtureRecipe('tally', fixture).replace(fixture.tallyCommit, 'f'.repeat(40));
    const { failure } = await build(text.replace('      - libtally-dev\n', ''));
    expect(failure).toMatchObject({ class: 'upstream', code: 'source.hash-mismatch' });
    expect(failure?.message).toContain(fixture.tallyCommit);
  });

  test('a step cannot hand git a repository whose settings run programs on the host', async () => {
    const checkout = `- runs: git init -q . 2>/dev/null || mkdir .git
- uses: git-checkout
  with:
    repository: https://git.example.org/tally
    tag: v0.4.0`;
    const { failure } = await build(recipe(checkout));
    expect(failure).toMatchObject({ code: 'build.refused', message: expect.stringContaining('repository already') });
  });

  test('an archive is not unpacked through a link that a step laid out of the workspace', async () => {
    fixture.served.set('/libtally.tar.gz', fixture.served.get('/libtally-1.2.0.tar.gz') ?? { body: Buffer.of() });
    mkdirSync(fixture.workDirectory, { recursive: true });
    const outside = mkdtempSync(join(fixture.workDirectory, 'outside-'));
    const steps = `- runs: ln -s ${outside} out
- uses: fetch
  with:
    uri: https://upstream.example.org/libtally.tar.gz
    expected-sha256: ${fixture.libtallySha256}
    directory: out`;
    const { failure, result } = await build(recipe(steps));
    expect(result.outcome).toBe('failed');
    expect(failure).toMatchObject({ class: 'package', code: 'build.output-unsafe' });
    expect(readdirSync(outside)).toEqual([]);
  });

  test('sources stay in the workspace', async () => {
    const { failure } = await build(
      recipe(
        '- uses: git-checkout\n  with:\n    repository: https://git.example.org/tally\n    destination: ../../etc',
      ),
    );
    expect(failure).toMatchObject({ code: 'build.output-unsafe' });
  });
});

describe('what a step sees', () => {
  test('a clean environment with what the recipe adds, files beside the recipe, and nothing else', async () => {
    const script =
      'mkdir -p ${{targets.destdir}}/etc; env | sort > ${{targets.destdir}}/etc/env; cat note.txt; pwd; id -un';
    const text = runs(script).replace(
      '    packages: [busybox]',
      '    packages: [busybox]\n  environment:\n    NOTE: a b',
    );
    const files = { 'hello/note.txt': Buffer.from('beside\n').toString('base64') };
    const { result, log } = await build(text, { files });
    expect(result.outcome, log).toBe('passed');
    expect(log).toContain('beside\n/home/build\nbuild\n');
    const entries = readApk(await fixture.file(result, 'hello-1.0-r0.apk')).entries();
    const env = Buffer.from(entries.find((entry) => entry.path === 'etc/env')?.content ?? []).toString('utf8');
    // bash itself sets PWD, OLDPWD, SHLVL and _.
    const names = env.split('\n').flatMap((line) => /^(?!PWD|OLDPWD|SHLVL|_=)(\w+)=/.exec(line)?.[1] ?? []);
    expect(names).toEqual([
      'HOME',
      'LANG',
      'LC_ALL',
      'LIBRARY_PATH',
      'LOGNAME',
      'NOTE',
      'PATH',
      'PKG_CONFIG_LIBDIR',
      'SOURCE_DATE_EPOCH',
      'TZ',
      'USER',
    ]);
    expect(env).toContain('NOTE=a b\n');
    expect(env).toContain('SOURCE_DATE_EPOCH=1700000000\n');
  });

  test('an abort stops the build and leaves no result and no files', async () => {
    const controller = new AbortController();
    const request = fixture.request(runs('echo started; sleep 100'), target);
    const key = digestOf(request);
    const liveLog = {
      add: (_key: string, text: string) => {
        if (text.includes('started')) controller.abort();
      },
      end: () => Promise.resolve(),
    };
    const names = { buildKey: key, request: key };
    const running = runHostBuild({ ...fixture.context, liveLog }, request, names, controller.signal);
    await expect(running).rejects.toMatchObject({ code: 'aborted' });
    expect(await fixture.objects.list(stagingKey(key, ''))).toEqual([]);
    expect(readdirSync(fixture.workDirectory).filter((name) => name.startsWith('hello'))).toEqual([]);
  });
});

describe('before anything runs', () => {
  test('a package of the environment that is not what was locked', async () => {
    const locked = { name: 'x', version: '1-r0', checksum: 'Q1x', key: 'staging/none/x.apk', digest: '0'.repeat(64) };
    const { failure } = await build(runs('true'), { environment: { host: ['busybox'], packages: [locked] } });
    expect(failure).toMatchObject({ class: 'dependency', code: 'repository.corrupt' });
  });

  test('a package that nobody has', async () => {
    const text = runs('true').replace('[busybox]', '[busybox, rust]');
    const { failure } = await build(text);
    expect(failure).toMatchObject({
      class: 'recipe',
      code: 'build.refused',
      message: expect.stringMatching(/rust.*hostTools/),
    });
  });

  test('a command that this machine lacks is not the fault of the recipe', async () => {
    const engine = await createEngineFixture();
    try {
      const context = { ...engine.context, hostTools: { busybox: ['regrow-no-such-command'] } };
      const request = engine.request(runs('true'), target, { environment: { host: ['busybox'], packages: [] } });
      const names = { buildKey: 'key', request: 'digest' };
      await expect(runHostBuild(context, request, names, new AbortController().signal)).rejects.toMatchObject({
        code: 'tool.missing',
        retry: 'later',
        message: expect.stringContaining('regrow-no-such-command'),
      });
    } finally {
      engine.close();
    }
  });

  test('a request that was put together wrongly', async () => {
    const { failure } = await build(runs('true'), { version: '2.0' });
    expect(failure).toMatchObject({ code: 'build.refused', message: expect.stringContaining('2.0-r0') });
  });

  test.each([
    ['not YAML', ': : :', 'recipe.malformed'],
    ['a pipeline that is not there', recipe('- uses: go/none'), 'recipe.pipeline-unknown'],
    ['a variable that is not there', runs('echo ${{vars.none}}'), 'recipe.variable-unknown'],
  ])('%s', async (_name, text, code) => {
    const request = { ...fixture.request(runs('true'), target), recipe: { path: 'hello.yaml', text } };
    expect((await fixture.build(request)).failure).toMatchObject({ class: 'recipe', code });
  });
});
