import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { backtestCommand } from '../../../src/cli/backtest.ts';
import { createOutput } from '../../../src/cli/output.ts';
import { compareApkVersions, isApkVersion } from '../../../src/model/apk-version.ts';
import { readTimeline, type TimelineBump } from '../../../src/model/timeline.ts';
import { sharedData } from '../../support/shared-data.ts';

let folder: string;
let timeline: string;
let config: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'regrow-backtest-'));
  timeline = join(folder, 'bumps.tsv');
  config = join(folder, 'regrow.yaml');
  writeFileSync(config, 'targets: [x86_64-gnu, aarch64-gnu]\n');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function backtest(...options: string[]) {
  let out = '';
  let err = '';
  const output = createOutput({
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
  });
  const args = ['--timeline', timeline, '--recipes', folder, '--config', config, ...options];
  await backtestCommand({ output }).option('--config <file>').parseAsync(args, { from: 'user' });
  return { out, err, exitCode: output.exitCode };
}

const head = 'date commit recipe from to from_epoch to_epoch source_hashes source_hashes_changed';
const rows = [
  head,
  '2026-01-01T10:00:00Z a1 jq 1.7 1.8 0 0 1 1',
  '2026-01-01T10:10:00Z a2 dated 0_git1 0_git2 0 0 2 0',
  '2026-01-02T10:00:00Z a3 jq 1.7 1.8 0 0 1 1',
  '2026-02-02T10:00:00Z a4 jq 1.8 1.9 0 0 1 1',
];

function write(lines: readonly string[] = rows): void {
  writeFileSync(timeline, `${lines.map((line) => line.replaceAll(' ', '\t')).join('\n')}\n`);
}

describe('regrow backtest', () => {
  it('says what would have come of each update, and why not', async () => {
    write();
    const { out, err, exitCode } = await backtest('--examples', '1');
    expect([err, exitCode]).toEqual(['', 0]);
    expect(out).toMatch(/^4 updates of 2 packages, 2026-01-01 to 2026-02-02\n/);
    const lines = out.split('\n').map((line) => line.replaceAll(/ {2,}/g, ' | '));
    expect(lines).toEqual(
      expect.arrayContaining([
        ` | HISTORY | ${config}`,
        'pull requests | 4 | 2',
        'again for a version | 1 | 0',
        'builds | 8 | 4',
        'peak day | 2 (2026-01-01) | 1 (2026-01-01)',
        'peak hour | 2 (2026-01-01T10) | 1 (2026-01-01T10)',
        'loops stopped | - | 1 (1 updates)',
        'not proposed | - | 2',
        ' | pins-nothing-new | - | 1',
        '2026-02 | 1 | 1',
        'pins-nothing-new: 1 updates of 1 packages',
        ' | 2026-01-01 dated 0_git1 to 0_git2: each of the 2 sources of 0_git2 is the one that is built already',
      ]),
    );
    expect(out).toContain('jq 1.7 to 1.8: the update to 1.8 was merged at 2026-01-01T10:00:00.000Z');
  });

  it('puts another configuration beside it', async () => {
    write();
    const other = join(folder, 'other.yaml');
    writeFileSync(other, 'policy: { ignore: [jq] }\n');
    const { out } = await backtest('--against', other, '--json');
    expect(JSON.parse(out)).toMatchObject({
      updates: 4,
      packages: 2,
      from: '2026-01-01T10:00:00.000Z',
      history: { opened: 4, repeated: 1, byMonth: { '2026-01': 3, '2026-02': 1 } },
      own: { configuration: config, targets: 2, opened: 2, builds: 4 },
      against: { configuration: other, targets: 1, opened: 0, builds: 0, peakDay: null },
    });
    const text = (await backtest('--against', other)).out;
    expect(text).toMatch(new RegExp(`HISTORY +${config} +${other}\n`));
    expect(text).toMatch(/ {2}updates-disabled +- +0 +3\n/);
  });

  it('uses the rules of the recipes that are there; one that cannot be read counts as gone', async () => {
    write();
    const recipe = 'package:\n  name: jq\n  version: "1.9"\n  epoch: 0\nupdate:\n  enabled: true\n';
    writeFileSync(join(folder, 'jq.yaml'), `${recipe}  ignore-regex-patterns:\n    - "^1\\\\.9"\n`);
    writeFileSync(join(folder, 'dated.yaml'), 'package: [');
    expect(JSON.parse((await backtest('--json')).out).own).toMatchObject({ opened: 2, left: { ignored: 1 } });
  });

  it('reads a packed timeline; one that cannot be read is the user’s to mend', async () => {
    write();
    const plain = (await backtest('--json')).out;
    writeFileSync(`${timeline}.gz`, gzipSync(readFileSync(timeline)));
    timeline = `${timeline}.gz`;
    expect((await backtest('--json')).out).toBe(plain);
    timeline = join(folder, 'gone.tsv');
    expect((await backtest()).exitCode).toBe(2);
    timeline = config;
    const { out, exitCode } = await backtest('--json');
    expect(exitCode).toBe(2);
    expect(JSON.parse(out).error).toMatchObject({ code: 'request.invalid', line: 1, file: config });
  });
});

const real = sharedData('bump-timeline.tsv.gz');
const wolfi = sharedData('wolfi-os');

interface Told {
  readonly package: string;
  readonly from: string;
  readonly to: string;
  readonly commit: string;
}

describe.skipIf(real === undefined || wolfi === undefined)('backtest on eighteen months of Wolfi', () => {
  const keyOf = (commit: string, name: string) => `${commit} ${name}`;

  it('no pull request that pins nothing new, one for each version, and every other update', {
    timeout: 180_000,
  }, async () => {
    timeline = real ?? '';
    const started = performance.now();
    const { out } = await backtest('--recipes', wolfi ?? '', '--examples', 'all', '--json');
    const { own, history } = JSON.parse(out);
    process.stderr.write(`backtest: ${Math.round(performance.now() - started)} ms\n`);
    const bumps = readTimeline(gunzipSync(readFileSync(timeline)).toString('utf8'), timeline);
    const reasonOf = new Map<string, string>();
    for (const { reason, examples } of own.suppressed) {
      for (const one of examples as Told[]) reasonOf.set(keyOf(one.commit, one.package), reason);
    }
    const isOpened = (bump: TimelineBump) => !reasonOf.has(keyOf(bump.commit, bump.recipe));
    const opened = bumps.filter(isOpened);
    expect(history.opened).toBe(30_699);
    expect(own.opened).toBe(opened.length);

    // The bars: nothing new, no pull request; and at most one for each version of a package.
    const saysNothingNew = ({ pinned, changed }: TimelineBump) => pinned > 0 && changed === 0;
    expect(opened.filter(saysNothingNew)).toEqual([]);
    expect(new Set(opened.map(({ recipe, to }) => `${recipe} ${to.version}`)).size).toBe(opened.length);

    // Every other update is proposed, but for these, each for its own reason.
    const refused = bumps.filter((bump) => !isOpened(bump) && !saysNothingNew(bump));
    const proposed = new Set(opened.map(({ recipe, to }) => `${recipe} ${to.version}`));
    const classOf = ({ recipe, from, to }: TimelineBump): string => {
      if (from.version === to.version) return 'the same version';
      if (!isApkVersion(to.version) || /-r\d+$/.test(to.version)) return 'no apk version';
      if (proposed.has(`${recipe} ${to.version}`)) return 'proposed before';
      return compareApkVersions(to.version, from.version) < 0 ? 'back' : `${recipe} to ${to.version}`;
    };
    const classes: Record<string, number> = {};
    for (const bump of refused) classes[classOf(bump)] = (classes[classOf(bump)] ?? 0) + 1;
    expect(classes).toEqual({
      'the same version': 476,
      'no apk version': 19,
      'proposed before': 20,
      back: 4,
      // A package that is named for a stream, taken out of it.
      'loki-3.1 to 3.2.0': 1,
      'sonarqube-10 to 24.12.0.100206': 1,
      'kube-vip-cloud-provider-0.0.11 to 0.0.12': 1,
      'haproxy-3.1 to 3.2.0': 1,
      'cloud-sql-proxy-2.16 to 2.17.1': 1,
      'redpanda-25.1 to 25.2.1': 1,
      'mountpoint-s3-csi-driver-2.0 to 2.1.0': 1,
    });
  });
});
