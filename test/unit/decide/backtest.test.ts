import { describe, expect, it } from 'vitest';
import { runBacktest } from '../../../src/decide/backtest.ts';
import { backtestFigures, loadOfHistory } from '../../../src/decide/backtest-figures.ts';
import type { BacktestRecipe } from '../../../src/decide/backtest-input.ts';
import { policySchema } from '../../../src/model/policy.ts';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import type { TimelineBump } from '../../../src/model/timeline.ts';

const start = Date.parse('2026-01-01T00:00:00Z');
const hour = 3600_000;

/** An update that pins one source, which changes; `from>to`, some hours after the start. */
function bump(recipe: string, versions: string, hours: number, rest: Partial<TimelineBump> = {}): TimelineBump {
  const [from = '', to = ''] = versions.split('>');
  return {
    at: start + hours * hour,
    commit: 'abc',
    recipe,
    from: { version: from, epoch: 1 },
    to: { version: to, epoch: 0 },
    pinned: 1,
    changed: 1,
    line: 2,
    ...rest,
  };
}

function recipe(update: string, name = 'tool'): BacktestRecipe {
  const text = `package:\n  name: ${name}\n  version: "99"\n  epoch: 7\nupdate:\n${update.replaceAll(/^/gm, '  ')}\n`;
  return {
    recipe: parseRecipe(`${name}.yaml`, text).recipe,
    source: { key: 'github:acme/tool/tags', chosenBy: 'update' },
  };
}

function run(bumps: readonly TimelineBump[], policy = {}, known?: BacktestRecipe) {
  return [...runBacktest(bumps, { recipeOf: () => known, policy: policySchema.parse(policy) })];
}

/** `VERSION at HOURS` for what was proposed, `VERSION REASON` for what was not. */
function told(fates: ReturnType<typeof run>): readonly string[] {
  return fates.map(({ bump: { to }, openedAt, reason }) =>
    openedAt === undefined ? `${to.version} ${reason}` : `${to.version} at ${(openedAt - start) / hour}`,
  );
}

describe('history run through decide', () => {
  it('proposes each update at its time, from what main had then', () => {
    expect(told(run([bump('a', '1>2', 0), bump('b', '5>6', 1), bump('a', '2>3', 2)]))).toEqual([
      '2 at 0',
      '6 at 1',
      '3 at 2',
    ]);
  });

  it('proposes nothing that pins nothing new, but what has no sources at all', () => {
    const fates = run([
      bump('a', '1>2', 0, { pinned: 3, changed: 0 }),
      bump('a', '2>3', 1, { pinned: 3, changed: 1 }),
      bump('a', '3>4', 2, { pinned: 0, changed: 0 }),
    ]);
    expect(told(fates)).toEqual(['2 pins-nothing-new', '3 at 1', '4 at 2']);
    expect(fates[0]?.because).toContain('each of the 3 sources of 2');
  });

  it('proposes a version once, however often main goes back', () => {
    const fates = run([bump('a', '1>2', 0), bump('a', '1>2', 1), bump('a', '1>2', 1000), bump('a', '2>3', 1001)]);
    expect(told(fates)).toEqual(['2 at 0', '2 loop', '2 loop', '3 at 1001']);
  });

  it('refuses to go back, what apk cannot read, and a tag that names another commit', () => {
    const fates = run([
      bump('a', '2>1', 0),
      bump('a', '2>v3', 1),
      bump('a', '2>2', 2),
      bump('a', '2>2', 3, { changed: 0 }),
    ]);
    expect(told(fates)).toEqual(['1 downgrade', 'v3 no-usable-release', '2 moved-tag', '2 up-to-date']);
  });

  it('waits as policy says; what has waited long enough comes before what is newer', () => {
    const bumps = [bump('a', '1>2', 0), bump('a', '2>3', 10), bump('b', '1>2', 11), bump('a', '3>4', 100)];
    expect(told(run(bumps, { cooldownHours: 24 }))).toEqual(['2 at 24', '3 at 34', '4 at 124', '2 at 35']);
    expect(told(run(bumps, { ignore: ['a'] }))).toEqual([
      '2 updates-disabled',
      '3 updates-disabled',
      '2 at 11',
      '4 updates-disabled',
    ]);
  });

  it('while an update waits, main has what it had, and a tag that moves is told all the same', () => {
    const bumps = [
      bump('a', '1>2', 0),
      bump('a', '2>2', 1),
      bump('a', '2>3', 2, { at: start }),
      bump('b', '1>2', 0, { changed: 1 }),
      bump('b', '2>3', 0, { changed: 0 }),
    ];
    expect(told(run(bumps, { cooldownHours: 24 }))).toEqual([
      '2 moved-tag',
      '2 cooling-down',
      '3 at 24',
      '2 cooling-down',
      '3 at 24',
    ]);
  });

  it('what waits is decided at its time, also when a tag moves meanwhile and nothing comes after', () => {
    const bumps = [bump('a', '1>2', 0), bump('a', '2>2', 1), bump('b', '1>2', 100)];
    expect(told(run(bumps, { cooldownHours: 24 }))).toEqual(['2 moved-tag', '2 at 24', '2 at 124']);
  });

  it('spells the tag as the recipe of today does', () => {
    const prefixed = recipe(
      'enabled: true\ngit:\n  strip-prefix: rel_\n  tag-filter-prefix: rel_\nversion-separator: _',
    );
    const [fate] = run([bump('tool', '1.0>1.1', 0)], {}, prefixed);
    expect(fate).toMatchObject({ openedAt: start, reason: 'newer-release' });
    expect(fate?.left).toBeUndefined();
  });

  it('leaves out what of today’s recipe the update itself shows to have come later, and says so', () => {
    const lefts = [
      'enabled: false',
      'enabled: true\nmanual: true',
      'enabled: true\nignore-regex-patterns:\n  - "^2"',
      'enabled: true\ngit:\n  tag-filter-contains: lts',
      'enabled: true\nversion-transform:\n  - match: "^"\n    replace: "7."',
    ].map((update) => run([bump('tool', '1>2', 0)], {}, recipe(update))[0]);
    expect(lefts.map((fate) => [fate?.openedAt, fate?.left])).toEqual([
      [start, 'updates-disabled'],
      [start, 'manual'],
      [start, 'ignored'],
      [start, 'filtered'],
      [start, 'other-version'],
    ]);
  });

  it('a recipe with a pattern that cannot be read is that recipe’s fate alone', () => {
    const broken = recipe('enabled: true\nignore-regex-patterns:\n  - "(?=x)"');
    expect(run([bump('tool', '1>2', 0)], {}, broken)).toMatchObject([{ reason: 'recipe.pattern-invalid' }]);
  });
});

describe('figures', () => {
  it('count pull requests, builds, the fullest day and hour in UTC, and why not', () => {
    const bumps = [
      bump('a', '1>2', 0),
      bump('b', '1>2', 1.5),
      bump('c', '1>2', 1.6),
      bump('a', '1>2', 30),
      bump('a', '1>2', 31),
      bump('d', '1>2', 24 * 31),
    ];
    const figures = backtestFigures(run(bumps), 2, 1);
    expect(figures).toMatchObject({
      bumps: 6,
      opened: 4,
      repeated: 0,
      builds: 8,
      peakDay: { at: '2026-01-01', count: 3 },
      peakHour: { at: '2026-01-01T01', count: 2 },
      loops: { versions: 1, updates: 2 },
      suppressed: [{ reason: 'loop', count: 2, packages: 1, examples: [{ bump: { recipe: 'a' } }] }],
    });
    expect([...figures.byMonth]).toEqual([
      ['2026-01', 3],
      ['2026-02', 1],
    ]);
    expect(loadOfHistory(bumps, 1)).toMatchObject({ opened: 6, repeated: 2, builds: 6 });
    expect(backtestFigures([], 2, 1)).toMatchObject({ opened: 0, peakDay: undefined });
  });
});
