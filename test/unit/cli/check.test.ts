import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLedger } from '../../../src/adapters/ledger.ts';
import { checkCommand } from '../../../src/cli/check.ts';
import type { CheckRow } from '../../../src/cli/check-rows.ts';
import { createOutput } from '../../../src/cli/output.ts';
import { createGitHubFake, type GitHubFake } from '../../../src/demo/fakes/github/github.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { type BareForge, createBareForge } from '../../support/bare-forge.ts';
import { proposal } from '../../support/report-world.ts';

const clock = createManualClock('2026-11-01T12:00:00.000Z');

let folder: string;
let github: GitHubFake;
let forge: BareForge;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'regrow-check-'));
  github = await createGitHubFake({ directory: folder, clock: createManualClock('2026-10-29T12:00:00.000Z') });
  forge = await createBareForge();
  configure();
  for (const [name, tags] of [
    ['jq', ['jq-1.7', 'jq-1.8', 'jq-1.9-rc1']],
    ['zlib', ['v1.3']],
    ['slow', ['1.0', '2.0']],
    ['hand', ['1.0', '2.0']],
  ] as const) {
    const repository = await github.createRepository('acme', name);
    await repository.commit({ files: { a: name }, message: 'first' });
    for (const tag of tags) await repository.publishRelease({ tag });
  }
});
afterEach(async () => {
  await github.close();
  await forge.close();
  rmSync(folder, { recursive: true, force: true });
});

function configure(policy = '{}'): void {
  const lines = [
    `stateDirectory: ${join(folder, 'state')}`,
    `forge: { kind: git, repository: ${forge.repository} }`,
    `watch: { githubBaseUrl: ${github.apiUrl} }`,
    `policy: ${policy}`,
  ];
  writeFileSync(join(folder, 'regrow.yaml'), `${lines.join('\n')}\n`);
}

function recipe(name: string, version: string, update: string): string {
  const block = update.replaceAll(/^/gm, '  ');
  return `package:\n  name: ${name}\n  version: "${version}"\n  epoch: 3\nupdate:\n${block}\n`;
}

const on = (repository: string, more = '') => `enabled: true\ngithub:\n  identifier: acme/${repository}\n${more}`;

const distribution = {
  'jq.yaml': recipe('jq', '1.7', on('jq', '  strip-prefix: jq-')),
  'zlib.yaml': recipe('zlib', '1.3', on('zlib', '  strip-prefix: v')),
  'hand.yaml': recipe('hand', '1.0', `manual: true\n${on('hand')}`),
  'off.yaml': recipe('off', '1.0', 'enabled: false\nexclude-reason: too old'),
  'gone.yaml': recipe('gone', '1.0', on('gone')),
  'broken.yaml': recipe('broken', '1.0-beta', on('jq')),
  'pattern.yaml': recipe('pattern', '1.0', on('jq', 'ignore-regex-patterns:\n  - "(?=x)"')),
};

async function check(...args: string[]) {
  let out = '';
  let err = '';
  const output = createOutput({
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
  });
  await checkCommand({ output }, { clock })
    .option('--config <file>')
    .parseAsync(['--config', join(folder, 'regrow.yaml'), ...args], { from: 'user' });
  return { out, err, exitCode: output.exitCode };
}

async function rows(...args: string[]): Promise<Readonly<Record<string, CheckRow>>> {
  const { packages } = JSON.parse((await check('--json', ...args)).out) as { packages: CheckRow[] };
  return Object.fromEntries(packages.map((row) => [row.package, row]));
}

describe('regrow check', () => {
  it('lists what is behind or could not be looked at, of the main branch of the configured repository', async () => {
    await forge.push(distribution);
    const { out, err, exitCode } = await check();
    expect(out.split('\n').map((line) => line.replaceAll(/ {2,}/g, ' | '))).toEqual([
      'PACKAGE | CURRENT | WANTED | LATEST | AGE | SOURCE | WHY',
      expect.stringMatching(/^broken \| - \| - \| - \| - \| - \| broken\.yaml:3: package\.version of broken/),
      expect.stringMatching(/^gone \| 1\.0 \| - \| - \| - \| github:acme\/gone\/releases \| .*could not be read/),
      expect.stringMatching(
        /^hand \| 1\.0 \| 1\.0 \| 2\.0 \| 3 d \| github:acme\/hand\/releases \| 2\.0 is out; .* a person/,
      ),
      'jq | 1.7 | 1.8 | 1.8 | 3 d | github:acme/jq/releases',
      expect.stringMatching(/^pattern \| 1\.0 \| .* is not an RE2 pattern/),
      '',
      '2 behind, 1 up to date, 1 not watched, 3 not known',
      '',
    ]);
    expect([err, exitCode]).toEqual(['', 1]);
  });

  it('all packages, those that are named, and of those only what is behind', async () => {
    await forge.push(distribution);
    expect(Object.keys(await rows('--all'))).toEqual(['broken', 'gone', 'hand', 'jq', 'off', 'pattern', 'zlib']);
    expect((await rows('--all'))['off']).toMatchObject({ state: 'off', because: expect.stringContaining('too old') });
    const asked = github.requests.length;
    const { out, exitCode } = await check('zlib');
    expect(out).toMatch(/zlib +1\.3 +1\.3 +1\.3 +3 d +github:acme\/zlib\/releases\n/);
    expect(exitCode).toBe(0);
    expect(github.requests.slice(asked).every(({ path }) => path.includes('/acme/zlib/'))).toBe(true);
    expect((await check('zlib', '--outdated')).out).toBe('0 behind, 1 up to date, 0 not watched, 0 not known\n');
    const gone = await check('nowhere', '--json');
    expect(JSON.parse(gone.out).error).toMatchObject({ code: 'request.not-found' });
    expect(gone.exitCode).toBe(1);
  });

  it('a repository elsewhere by way of a mirror of its own, brought up to date each time', async () => {
    const text = readFileSync(join(folder, 'regrow.yaml'), 'utf8');
    writeFileSync(join(folder, 'regrow.yaml'), text.replace('repository: /', 'repository: file:///'));
    await forge.push({ 'zlib.yaml': distribution['zlib.yaml'] });
    expect(Object.keys(await rows('--all'))).toEqual(['zlib']);
    await forge.push({ 'jq.yaml': distribution['jq.yaml'] });
    expect(Object.keys(await rows('--all'))).toEqual(['jq', 'zlib']);
    expect(readdirSync(join(folder, 'state'))).toEqual(['command-mirror.git']);
  });

  it('recipes of a folder that need no repository, and one question for all that share a source', async () => {
    for (const name of ['one', 'two', 'three']) {
      writeFileSync(join(folder, `${name}.yaml`), recipe(name, '1.3', on('zlib', '  strip-prefix: v')));
    }
    rmSync(join(folder, 'regrow.yaml'));
    writeFileSync(join(folder, 'other.conf'), `watch: { githubBaseUrl: ${github.apiUrl} }\n`);
    const found = await rows('--recipes', folder, '--config', join(folder, 'other.conf'), '--all');
    expect(Object.values(found).map(({ state }) => state)).toEqual(['current', 'current', 'current']);
    expect(github.requests.filter(({ path }) => path.includes('/acme/zlib/releases'))).toHaveLength(1);
  });

  it('what policy wants is not always the latest, and it says why and until when', async () => {
    await forge.push(distribution);
    configure('{ cooldownHours: 100, pin: { zlib: "1.2" } }');
    expect((await rows())['jq']).toMatchObject({
      state: 'behind',
      current: '1.7',
      wanted: '1.7',
      latest: '1.8',
      publishedAt: expect.stringMatching(/^2026-10-29T12:00:00/),
      reason: 'cooling-down',
      until: '2026-11-02T16:00:00.000Z',
    });
    configure('{ hold: [{ package: jq, reason: the release is broken }] }');
    expect((await rows())['jq']).toMatchObject({ wanted: '1.7', latest: '1.8', reason: 'held' });
    expect((await rows())['jq']?.because).toContain('the release is broken');
  });

  it('a tag that moved is told, and that there is a newer version beside it', async () => {
    const pinned = (version: string) =>
      `${recipe('zlib', version, on('zlib', '  use-tag: true\n  strip-prefix: v'))}pipeline:
  - uses: git-checkout
    with:
      repository: https://github.com/acme/zlib
      tag: v\${{package.version}}
      expected-commit: ${'0'.repeat(40)}
`;
    await forge.push({ 'zlib.yaml': pinned('1.3') });
    const { out, exitCode } = await check();
    expect(out).toMatch(/zlib +1\.3 +1\.3 +1\.3 .*tag v1\.3 of .* was at 0{40} and is now at [0-9a-f]{40}/);
    expect(out).toContain('0 behind, 0 up to date, 1 with a tag that moved, 0 not watched');
    expect(exitCode).toBe(1);
    await github.repository('acme', 'zlib').tag('v1.4');
    const behind = await check();
    expect(behind.out).toMatch(/zlib +1\.3 +1\.4 +1\.4 .*upstream released 1\.4; .*; tag v1\.3 of .* is now at/);
  });

  it('knows of updates from the daemon whose state directory is there', async () => {
    await forge.push(distribution);
    configure();
    await rows('jq');
    const ledger = openLedger({ file: join(folder, 'state', 'ledger.sqlite') });
    const closed = { ...proposal('jq', 4, '1.8-r0'), state: 'closed' as const, closedAt: '2026-10-30T12:00:00.000Z' };
    await ledger.put('proposal', '4', { ...closed, closedBy: 'ada' }, '2026-10-30T12:00:00.000Z', 'jq');
    await ledger.close();
    expect((await rows('jq'))['jq']).toMatchObject({ wanted: '1.7', latest: '1.8', reason: 'closed-by-hand' });
  });

  it('shows its progress to people only', async () => {
    await forge.push(distribution);
    let err = '';
    const output = createOutput({
      stdout: { write: () => true },
      stderr: { isTTY: true, write: (text: string) => (err += text) },
    });
    const command = checkCommand({ output }, { clock }).option('--config <file>');
    await command.parseAsync(['--config', join(folder, 'regrow.yaml')], { from: 'user' });
    expect(err).toContain('reading recipes');
    expect(err).toContain('4 of 4 upstreams asked');
    expect(err.endsWith('\r\u001b[K')).toBe(true);
  });

  it('what was found before it was stopped is shown', async () => {
    await forge.push(distribution);
    const controller = new AbortController();
    let out = '';
    let err = '';
    const output = createOutput({
      stdout: { write: (text: string) => (out += text) },
      stderr: {
        isTTY: true,
        write: (text: string) => {
          err += text;
          if (text.includes('2 of 4')) controller.abort(new DOMException('stopped', 'AbortError'));
        },
      },
    });
    const stop = () => ({ signal: controller.signal, end: () => {} });
    const command = checkCommand({ output }, { clock, stop }).option('--config <file>');
    await command.parseAsync(['--config', join(folder, 'regrow.yaml'), '--json'], { from: 'user' });
    expect(err).toContain('stopped: 2 of 4 upstreams were not asked');
    const { packages, unknown } = JSON.parse(out) as { packages: CheckRow[]; unknown: number };
    expect(packages.map(({ reason }) => reason)).not.toContain('not-observed-yet');
    // The two that were not asked, and the two recipes that cannot be read.
    expect(unknown).toBeGreaterThanOrEqual(4);
    expect(output.exitCode).toBe(1);
  });

  it('a limit that is used up is the rows’ reason, and no error', async () => {
    await forge.push({ 'jq.yaml': distribution['jq.yaml'] });
    github.rateLimit.remaining = 0;
    expect((await rows())['jq']).toMatchObject({ state: 'unknown', reason: 'source-failed' });
    expect((await rows())['jq']?.because).toContain('left alone');
  });
});
