import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { findFaketime } from '../../src/adapters/faketime.ts';
import { createOutput } from '../../src/cli/output.ts';
import { verifyCommand } from '../../src/cli/verify.ts';
import { type ConfigInput, configSchema } from '../../src/config/schema.ts';
import type { Verdict } from '../../src/model/verdict.ts';
import { type Daemon, startDaemon } from '../../src/roles/daemon.ts';
import { testLog } from '../support/log.ts';
import {
  createSmallDistribution,
  owner,
  recipe,
  type SmallDistribution,
  target,
} from './support/small-distribution.ts';

const patience = 60_000;
let small: SmallDistribution;
let second: Daemon | undefined;

afterEach(async () => {
  await second?.stop(2000);
  second = undefined;
  await small.close();
});

/** Writes the time of its build into its package. */
const stamping = `  - runs: |
      install -d "\${{targets.destdir}}/usr/share/stamp"
      date +%s.%N > "\${{targets.destdir}}/usr/share/stamp/time"
`;

/** Writes the day of its build into its package: only another day tells. */
const dating = `  - runs: |
      install -d "\${{targets.destdir}}/usr/share/dated"
      date -u +%F > "\${{targets.destdir}}/usr/share/dated/day"
`;

const faketime = findFaketime();
if (faketime === undefined) process.stderr.write('no libfaketime here: second builds are not on another clock\n');

type Verify = NonNullable<ConfigInput['verify']>;

async function distribution(verify: Verify, watched = false): Promise<void> {
  small = await createSmallDistribution({
    files: { 'steady.yaml': recipe('steady'), 'stamp.yaml': recipe('stamp', { pipeline: stamping, watched }) },
    config: { verify },
    prepare: async ({ project }) => {
      if (watched) await project('stamp');
      return {};
    },
  });
}

async function verdictOf(name: string): Promise<Verdict | undefined> {
  const rows = await small.read((ledger) => ledger.list('verdict', name));
  return rows.at(-1)?.value;
}

function published(name: string): Promise<boolean> {
  return small.published().then((packages) => `${name}-1.0-r0` in packages);
}

/** `regrow verify` on what the daemon left. */
async function verify(...args: readonly string[]) {
  let out = '';
  let err = '';
  const output = createOutput({
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
  });
  const file = join(small.directory, 'regrow.yaml');
  writeFileSync(file, stringify(small.config));
  const command = verifyCommand({ output }).option('--config <file>');
  await command.parseAsync(['--config', file, ...args], { from: 'user' });
  return { out, err, exitCode: output.exitCode };
}

describe('a distribution whose packages are built a second time', () => {
  test('publishes what is the same; holds what is not, and explain says which file, and what is in it', async () => {
    await distribution({ rebuild: 'always', difference: 'fail' });
    await small.until('steady is published', () => published('steady'), patience);
    await small.until('stamp is refused', async () => (await verdictOf('stamp'))?.passed === false, patience);
    const builds = await small.read((ledger) => ledger.list('build'));
    for (const name of ['steady', 'stamp']) {
      const own = builds.filter(({ value }) => value.package === name).map(({ value }) => value);
      const first = own.find(({ repeats }) => repeats === undefined);
      const again = own.find(({ repeats }) => repeats === first?.buildKey);
      expect(again).toMatchObject({ state: 'passed', request: first?.request });
    }
    expect((await verdictOf('steady'))?.gates.at(-1)?.because).toMatch(
      /^1 package the same, byte for byte; built both times by \S+/,
    );
    expect(await published('stamp')).toBe(false);
    const { blocker, evidence, state } = await small.explain('stamp');
    expect([state, blocker.kind]).toEqual(['failing', 'gate-failed']);
    expect(blocker.text).toMatch(
      /reproducible: .*stamp: usr\/share\/stamp\/time differs in line 1: “\d+\.\d+” and “\d+\.\d+”/,
    );
    expect(evidence.filter(({ source }) => source === 'verify').map(({ fact }) => fact)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^1\.0-r0 for \S+: stamp: usr\/share\/stamp\/time differs in line 1/),
      ]),
    );
    expect((await small.explain('steady')).builds.map(({ why }) => why)).toContain(
      'built a second time, to compare the bytes',
    );
  }, 120_000);

  test.skipIf(faketime === undefined)(
    'has its second builds made on another clock, so that a day that gets into a package is seen',
    async () => {
      small = await createSmallDistribution({
        files: { 'steady.yaml': recipe('steady'), 'dated.yaml': recipe('dated', { pipeline: dating }) },
        config: { verify: { rebuild: 'always' } },
      });
      await small.until('steady is published', () => published('steady'), patience);
      await small.until('dated is refused', async () => (await verdictOf('dated'))?.passed === false, patience);
      expect((await verdictOf('steady'))?.gates.at(-1)?.because).toMatch(
        /, the second time on a clock 400 days ahead$/,
      );
      expect((await verdictOf('dated'))?.gates.at(-1)?.because).toMatch(
        /dated: usr\/share\/dated\/day differs in line 1: “\d{4}-\d\d-\d\d” and “\d{4}-\d\d-\d\d”/,
      );
    },
    120_000,
  );

  test('tells of what is not, on the pull request too, and publishes it where it is to', async () => {
    await distribution({ rebuild: 'always', difference: 'report' }, true);
    await small.until(
      'both are published',
      async () => (await published('steady')) && (await published('stamp')),
      patience,
    );
    expect(await verdictOf('stamp')).toMatchObject({ passed: true, rebuild: 'report' });
    await small.release('stamp', '1.1');
    await small.until('the update is published', async () => 'stamp-1.1-r0' in (await small.published()), patience);
    const [pull] = small.os.pulls();
    expect(pull?.body).toContain('not reproducible');
    expect(pull?.body).toMatch(
      /Built a second time, it is not the same:\n\n- \S+: stamp: usr\/share\/stamp\/time differs in line 1/,
    );

    // What is published is also built again from the command line, and says the same.
    const steady = await verify('steady');
    expect(steady).toMatchObject({ exitCode: 0, out: expect.stringMatching(/^same {2}steady 1\.0-r0 for /) });
    const stamp = await verify('stamp-1.0-r0', '--target', target, '--json');
    expect(stamp.exitCode).toBe(1);
    expect(JSON.parse(stamp.out)).toMatchObject({
      same: false,
      builds: [
        {
          package: 'stamp',
          version: '1.0-r0',
          same: false,
          packages: [{ name: 'stamp', same: false, differences: [{ path: 'usr/share/stamp/time', kind: 'content' }] }],
        },
      ],
    });

    // What cannot be built again is neither the same nor different.
    expect(await verify('nothing')).toMatchObject({
      exitCode: 3,
      err: expect.stringContaining('nothing is not published'),
    });
    const { builds } = JSON.parse((await verify('steady', '--json')).out) as { builds: { request: string }[] };
    await (await small.objects()).remove(`inputs/${builds[0]?.request}.json`);
    const gone = await verify('steady');
    expect(gone).toMatchObject({
      exitCode: 3,
      out: '',
      err: expect.stringContaining('verify.inputs-gone: steady 1.0-r0'),
    });
  }, 180_000);

  test('has a builder of another name do it, as long as there is one', async () => {
    small = await createSmallDistribution({
      files: { 'steady.yaml': recipe('steady') },
      config: { verify: { rebuild: 'always' } },
      startNow: false,
    });
    const parsed = configSchema.parse({
      ...small.config,
      stateDirectory: join(small.directory, 'elsewhere'),
      objects: { directory: join(small.directory, 'state/objects') },
    });
    const config = { ...parsed, forge: { ...parsed.forge, repository: `${owner}/os`, mergeGreen: true } };
    second = await startDaemon({
      config,
      secrets: {},
      log: testLog('silent').log,
      clock: small.clock,
      roles: ['builder'],
      builderName: 'the-other',
      timings: { lock: 5000, stalled: 1000, pauseFactor: 0.005 },
    });
    await small.start({ builderName: 'the-one' });
    await small.until('steady is published', () => published('steady'), patience);
    const said = (await verdictOf('steady'))?.gates.at(-1)?.because;
    expect(said).toMatch(/built by the-(one and by the-other|other and by the-one)(,|$)/);
  }, 120_000);
});
