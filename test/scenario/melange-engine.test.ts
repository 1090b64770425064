import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { runMelangeBuild } from '../../src/build/melange/engine.ts';
import { type Apk, readApk } from '../../src/formats/apk.ts';
import type { BuildRequest, BuildResult } from '../../src/model/build.ts';
import { digestOf } from '../../src/model/canonical.ts';
import { engineOrSkip } from '../support/engines.ts';
import { hasCommands } from '../support/host-commands.ts';
import { fixtureRecipe, greetingPatch, hostArch } from '../support/host-engine.ts';
import {
  bootstrapFilesOf,
  bootstrapRecipe,
  createMelangeFixture,
  type MelangeFixture,
  melangeProgram,
} from '../support/melange-engine.ts';
import { likenessOf } from '../support/package-likeness.ts';

const program = await engineOrSkip('melange');
const isHere = program !== undefined && hasCommands(['busybox', 'pkg-config'], 'busybox-static pkg-config');

const script = (steps: string, more = ''): string => `package:
  name: subject
  version: 1.0.0
  epoch: 0
  description: What is tested
  copyright:
    - license: MIT
${more}
environment:
  contents:
    packages:
      - busybox
pipeline:
  - name: the work
    runs: |
      mkdir -p "\${{targets.destdir}}/usr/share/subject"
      echo text > "\${{targets.destdir}}/usr/share/subject/text"
${steps.replaceAll(/^/gm, '      ')}
`;

/** Command lines of programs that run and name this folder. */
function programsBelow(folder: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((id) => {
      try {
        return [readFileSync(`/proc/${id}/cmdline`, 'utf8').replaceAll('\0', ' ')];
      } catch {
        // It has ended meanwhile.
        return [];
      }
    })
    .filter((line) => line.includes(folder));
}

describe.skipIf(!isHere)('the real melange, on the bootstrap distribution', { timeout: 240_000 }, () => {
  let fixture: MelangeFixture;
  beforeAll(async () => {
    fixture = await createMelangeFixture(program ?? '');
  }, 240_000);
  afterAll(() => fixture?.close(), 120_000);
  afterEach(() => {
    const left = readdirSync(fixture.workDirectory).filter((name) => !name.startsWith('.'));
    if (left.length > 0) throw new Error(`builds leave behind ${left.join(', ')}`);
  });

  const packagesOf = async (result: BuildResult): Promise<readonly Apk[]> => {
    expect(result.failure, await fixture.log(result)).toBeUndefined();
    const files = result.artifacts.map(({ info }) => fixture.file(result, `${info.name}-${info.version}.apk`));
    return (await Promise.all(files)).map((bytes) => readApk(bytes));
  };

  const bothOf = async (request: BuildRequest) => {
    const result = await fixture.melangeBuild(request);
    const melange = await packagesOf(result);
    const host = await packagesOf(await fixture.build(fixture.hostRequest(request)));
    return { result, melange, host };
  };

  test('builds and tests a recipe of scripts, and the host engine makes the same of it', async () => {
    const files = bootstrapFilesOf('hello');
    const request = fixture.melangeRequest(bootstrapRecipe('hello'), { files });
    const { result, melange, host } = await bothOf(request);
    expect(result.tests).toEqual([
      { package: 'hello', outcome: 'passed' },
      { package: 'hello-doc', outcome: 'passed' },
    ]);
    expect(melange.map(likenessOf)).toEqual(host.map(likenessOf));
    expect(melange.map(({ signatures }) => signatures)).toEqual([[], []]);
    expect(melange[0]?.configuration).toMatch(/- busybox=1-r0\n/);
  });

  test('in another folder the bytes are the same', async () => {
    const request = fixture.melangeRequest(bootstrapRecipe('hello'), { files: bootstrapFilesOf('hello') });
    const first = await fixture.melangeBuild(request);
    const again = await fixture.melangeBuild(request, undefined, 'again');
    expect(again.buildKey).not.toBe(first.buildKey);
    expect(again.artifacts.map(({ digest }) => digest)).toEqual(first.artifacts.map(({ digest }) => digest));
  });

  test('builds a library and a program on it from sources that the engine brought, without network', async () => {
    const library = fixture.melangeRequest(fixtureRecipe('libtally', fixture), {
      files: { 'libtally/greeting.patch': Buffer.from(greetingPatch).toString('base64') },
    });
    const first = await bothOf(library);
    expect(first.result.sources).toEqual([
      { kind: 'archive', url: 'https://upstream.example.org/libtally-1.2.0.tar.gz', sha256: fixture.libtallySha256 },
    ]);
    expect(first.melange.map(likenessOf)).toEqual(first.host.map(likenessOf));

    const tally = fixture.melangeRequest(fixtureRecipe('tally', fixture));
    const packages = [...fixture.bootstrap, ...fixture.lock(first.result)];
    const environment = { host: [], packages };
    const second = await bothOf({ ...tally, environment, testEnvironments: { tally: environment } });
    expect(second.result.sources).toEqual([
      { kind: 'git', repository: 'https://git.example.org/tally', tag: 'v0.4.0', commit: fixture.tallyCommit },
    ]);
    expect(second.result.tests).toEqual([{ package: 'tally', outcome: 'passed' }]);
    expect(second.melange[0]?.info.depends).toContain('so:libtally.so.1');
    expect(second.melange.map(likenessOf)).toEqual(second.host.map(likenessOf));
  });

  test.each([
    ['a step that fails', script('exit 7'), 'package', 'build.step-failed', 'the step the work ended with exit code 7'],
    [
      'a step that wants the network',
      script('git ls-remote git://upstream.example.org/x').replace('- busybox', '- build-base\n      - busybox'),
      'recipe',
      'build.network-denied',
      'upstream.example.org',
    ],
    [
      'a setuid file',
      script('chmod 4755 "${{targets.destdir}}/usr/share/subject/text"'),
      'package',
      'build.lint-failed',
      'setuid',
    ],
    [
      'a recipe that melange does not read',
      script('true', '  timeout: soon\n'),
      'recipe',
      'recipe.malformed',
      'time.Duration',
    ],
    [
      'what nobody has',
      script('true').replace('- busybox', '- busybox\n      - nowhere'),
      'dependency',
      'solve.unsatisfiable',
      'nothing provides "nowhere"',
    ],
    [
      'a test without a shell',
      `${script('true')}test:\n  pipeline:\n    - runs: true\n`,
      'package',
      'build.step-failed',
      'No such file or directory; name a package that has /bin/sh',
    ],
    [
      'what a step says of the disk, and of the sandbox',
      script('echo "bwrap: no sandbox"; echo text > /dev/full'),
      'package',
      'build.step-failed',
      'the step the work ended with exit code 1',
    ],
    ['a step without end', script('sleep 300', '  timeout: 3s\n'), 'package', 'build.timeout', '3 s'],
    [
      'processes without end',
      script('for one in $(seq 400); do sleep 60 & done; wait'),
      'package',
      'build.process-limit',
      'the step the work had more than 200 processes',
    ],
    ['output without end', script(`yes ${'x'.repeat(500)}`), 'package', 'build.log-limit', 'printed more than'],
  ])('%s is known for what it is', async (_what, recipe, failureClass, code, message) => {
    const result = await fixture.melangeBuild(fixture.melangeRequest(recipe));
    expect(result.failure, await fixture.log(result)).toMatchObject({ class: failureClass, code });
    expect(result.failure?.message).toContain(message);
    expect(result.artifacts).toEqual([]);
  });

  test('a step is nobody’s root, and reaches nothing but itself', async () => {
    const looks =
      'echo "user $(id -u)"\necho "interfaces $(tail -n +3 /proc/net/dev | cut -d: -f1 | xargs)"\necho "descriptors $(ls /proc/self/fd | xargs)"';
    const result = await fixture.melangeBuild(fixture.melangeRequest(script(looks)));
    expect(result.failure).toBeUndefined();
    const log = await fixture.log(result);
    expect(log).toContain('\nuser 1000\n');
    expect(log).toContain('\ninterfaces lo\n');
    expect(log).toContain('\ndescriptors 0 1 2 3\n');
  });

  test.each(['', '  accounts:\n    run-as: "0"\n', '  accounts:\n    run-as: root\n'])(
    'a step cannot write settings of the kernel, nor undo what keeps it from that (%j)',
    async (more) => {
      const tries = [
        'mount -o remount,rw,bind /proc/sys || umount -l /proc/sys || mount -o remount,rw,bind /sys || true',
        'for one in /proc/sys/kernel/core_pattern /sys/kernel/uevent_helper; do',
        '  if (: >> $one) 2>&1; then echo "open: $one"; else echo "kept from $one"; fi',
        'done',
        'echo "ends as $(id -u)"',
      ].join('\n');
      const asked = script(tries).replace('pipeline:\n', `${more}capabilities:\n  add: [CAP_SYS_ADMIN]\npipeline:\n`);
      const log = await fixture.log(await fixture.melangeBuild(fixture.melangeRequest(asked)));
      expect(log).toContain('kept from /proc/sys/kernel/core_pattern');
      expect(log).not.toContain('open: ');
      expect(log).toContain(process.getuid?.() === 0 ? 'ends as 1000' : 'ends as ');
    },
  );

  test('a step has the network of the machine where the configuration says so', async () => {
    const server = createServer((_request, response) => response.end('from the network'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const fetching = script(`wget -q -O - http://127.0.0.1:${port}/`);
    try {
      const asked = fixture.melangeRequest(fetching, { melange: { ...melangeProgram, network: true } });
      const result = await fixture.melangeBuild(asked);
      expect(await fixture.log(result)).toContain('from the network');
      expect(result.outcome).toBe('passed');
      const without = await fixture.melangeBuild(fixture.melangeRequest(fetching));
      expect(await fixture.log(without)).not.toContain('from the network');
      expect(without.outcome).toBe('failed');
    } finally {
      server.close();
    }
  });

  test('the C library of the target is the one that variables speak of', async () => {
    const request = fixture.melangeRequest(script('echo "triplet ${{host.triplet.gnu}}"'));
    const musl = await fixture.melangeBuild({ ...request, target: `${hostArch}-musl` });
    expect(await fixture.log(musl)).toContain(`\ntriplet ${hostArch}-pc-linux-musl\n`);
    const gnu = await fixture.melangeBuild(request);
    expect(await fixture.log(gnu)).toContain(`\ntriplet ${hostArch}-pc-linux-gnu\n`);
  });

  test('a test that fails is said of its package, and nothing is left of the build', async () => {
    const files = bootstrapFilesOf('hello');
    const broken = bootstrapRecipe('hello').replace('test -s /usr/share/man/man1/hello.1', 'exit 3');
    const result = await fixture.melangeBuild(fixture.melangeRequest(broken, { files }));
    expect(result.tests).toMatchObject([
      { package: 'hello', outcome: 'passed' },
      { package: 'hello-doc', outcome: 'failed', failure: { class: 'package', code: 'build.step-failed' } },
    ]);
    expect(result).toMatchObject({ outcome: 'failed', artifacts: [] });
  });

  test('a build that is stopped leaves nothing behind, and melange has tidied up', async () => {
    const controller = new AbortController();
    const running = fixture.melangeBuild(fixture.melangeRequest(script('echo begun\nsleep 300')), controller.signal);
    await fixture.said('begun');
    expect(programsBelow(fixture.workDirectory).length).toBeGreaterThan(0);
    controller.abort();
    const started = Date.now();
    await expect(running).rejects.toMatchObject({ code: 'aborted', retry: 'now' });
    expect(Date.now() - started).toBeLessThan(15_000);
    expect(programsBelow(fixture.workDirectory)).toEqual([]);
  });

  test('what is not for this machine is refused before anything runs', async () => {
    const target = hostArch === 'x86_64' ? 'aarch64-gnu' : 'x86_64-gnu';
    const foreign = await fixture.melangeBuild({ ...fixture.melangeRequest(script('true')), target });
    expect(foreign.failure).toMatchObject({ class: 'recipe', code: 'build.refused' });
    expect(foreign.failure?.message).toContain('build.melange.arches');
    const leftOut = script('true', `  target-architecture:\n    - ${target.split('-')[0]}\n`);
    const other = await fixture.melangeBuild(fixture.melangeRequest(leftOut));
    expect(other.failure).toMatchObject({ class: 'recipe', code: 'build.refused' });
  });

  test('an architecture that this machine runs programs of is built for, and its packages say so', async () => {
    const arch = hostArch === 'x86_64' ? 'aarch64' : 'x86_64';
    // The programs of the environment are this machine's all the same: what is looked at is melange's part.
    const request = { ...fixture.melangeRequest(script('echo "${{build.arch}}"')), target: `${arch}-gnu` as const };
    const context = { ...fixture.melange, arches: [hostArch, arch] as const };
    const names = { buildKey: digestOf(request), request: digestOf(request) };
    const result = await runMelangeBuild(context, request, names, new AbortController().signal);
    const [apk] = await packagesOf(result);
    expect(apk?.info.arch).toBe(arch);
    expect(result.artifacts[0]?.target).toBe(`${arch}-gnu`);
    expect(await fixture.log(result)).toContain(`\n${arch}\n`);
  });

  test('another melange than the planned one does not build', async () => {
    const melange = { ...melangeProgram, version: 'v0.1.0' };
    const request = fixture.melangeRequest(script('true'), { melange });
    const running = fixture.melangeBuild(request);
    await expect(running).rejects.toMatchObject({ code: 'tool.missing', retry: 'later' });
    expect(digestOf(request)).not.toBe(digestOf(fixture.melangeRequest(script('true'))));
  });
});
