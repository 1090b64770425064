import { describe, expect, it } from 'vitest';
import type { DecideInput } from '../../../src/decide/input.ts';
import { indexAdvisories } from '../../../src/decide/vulnerability.ts';
import { osvSchema } from '../../../src/model/osv.ts';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import { failure, finding, observation, policy, proposal, recipe, run, source, tag } from './case.ts';

describe('decide', () => {
  it('goes to the newest release, and says what led to it', () => {
    const found = observation(
      { ...tag('1.8.2', 30), url: 'https://github.com/jqlang/jq/releases/tag/jq-1.8.2', commit: 'c0ffee' },
      tag('1.8.1'),
      tag('1.9.0rc1'),
    );
    const decision = run({ observation: found });
    expect(decision).toMatchObject({
      package: 'jq',
      action: 'bump',
      reason: 'newer-release',
      from: { version: '1.8.1', epoch: 2 },
      to: { version: '1.8.2', epoch: 0, tag: 'jq-1.8.2', source, commit: 'c0ffee' },
      urgency: 'normal',
      fixes: [],
      because: 'upstream released 1.8.2; the recipe has 1.8.1',
    });
    expect(decision.evidence.map(({ fact }) => fact)).toEqual([
      'github:jqlang/jq/releases lists 3 tags; the `update:` block names it',
      'upstream has tag jq-1.8.2, published 2026-11-09T06:00:00.000Z, read as version 1.8.2',
      '1 left out as pre-releases: jq-1.9.0rc1 (rc)',
    ]);
    expect(decision.evidence[1]?.source).toBe('https://github.com/jqlang/jq/releases/tag/jq-1.8.2');
  });

  it('is the same for the same facts', () => {
    expect(run()).toEqual(run());
  });

  const outcomes: readonly [string, Partial<DecideInput>, string, string, RegExp][] = [
    ['is up to date', { observation: observation(tag('1.8.1')) }, 'current', 'up-to-date', /1\.8\.1 is the newest/],
    [
      'compares as apk does',
      { recipe: recipe('enabled: true', '1.10'), observation: observation(tag('1.9')) },
      'hold',
      'downgrade',
      /older than 1\.10/,
    ],
    ['refuses a downgrade', { observation: observation(tag('1.7')) }, 'hold', 'downgrade', /never go back/],
    [
      'refuses a shorter notation',
      { recipe: recipe('enabled: true', '4.10.0'), observation: observation(tag('4.10')) },
      'hold',
      'downgrade',
      /older/,
    ],
    [
      'has updates turned off',
      { recipe: recipe('enabled: false\nexclude-reason: too old') },
      'ignore',
      'updates-disabled',
      /too old/,
    ],
    [
      'has updates turned off without a word',
      { recipe: recipe('enabled: false') },
      'ignore',
      'updates-disabled',
      /turns updates off$/,
    ],
    [
      'is left out by the configuration',
      { policy: policy({ ignore: ['jq'] }) },
      'ignore',
      'updates-disabled',
      /policy\.ignore/,
    ],
    ['has no source that regrow knows', { source: undefined }, 'ignore', 'source-unsupported', /github/],
    ['was not asked yet', { observation: undefined }, 'hold', 'not-observed-yet', /not been asked/],
    [
      'could never be asked',
      { observation: undefined, failure: failure('2026-11-10T11:30:00Z') },
      'hold',
      'source-failed',
      /not JSON/,
    ],
    [
      'has nothing usable',
      { observation: observation(tag('latest'), tag('1.9-rc1')) },
      'hold',
      'no-usable-release',
      /none of the 2 tags/,
    ],
    ['has no tags at all', { observation: observation() }, 'hold', 'no-usable-release', /none of the 0 tags/],
    ['is held by the configuration', { policy: policy({ hold: ['jq'] }) }, 'hold', 'held', /policy\.hold/],
    ['is updated by hand', { recipe: recipe('enabled: true\nmanual: true') }, 'hold', 'manual', /a person makes/],
    ['is pinned', { policy: policy({ pin: { jq: '1.7' } }) }, 'hold', 'pinned', /1\.8\.2 is out.*1\.7/],
    [
      'is pinned to something that is no version',
      { policy: policy({ pin: { jq: 'stable' } }) },
      'hold',
      'pinned',
      /stable/,
    ],
    [
      'was closed by hand',
      { proposals: [proposal('1.8.2', { state: 'closed', closedBy: 'ada' })] },
      'hold',
      'closed-by-hand',
      /ada closed/,
    ],
    [
      'waits for the one before, which upstream has no more',
      {
        recipe: recipe('enabled: true\nrequire-sequential: true'),
        observation: observation(tag('1.8.3')),
        proposals: [proposal('1.8.2', {})],
      },
      'hold',
      'held',
      /one update after the other/,
    ],
  ];
  for (const [what, more, action, reason, because] of outcomes) {
    it(`holds, ignores or rests when it ${what}`, () => {
      const decision = run(more);
      expect([decision.action, decision.reason]).toEqual([action, reason]);
      expect(decision.because).toMatch(because);
    });
  }

  it('ignores a recipe without an update block', () => {
    const bare = parseRecipe('jq.yaml', 'package:\n  name: jq\n  version: "1"\n  epoch: 0\n').recipe;
    expect(run({ recipe: bare })).toMatchObject({ action: 'ignore', reason: 'updates-disabled' });
    const monitor = parseRecipe(
      'jq.yaml',
      'package:\n  name: jq\n  version: "1"\n  epoch: 0\nupdate:\n  enabled: true\n',
    ).recipe;
    expect(run({ recipe: monitor, source: undefined }).because).toContain('none');
  });

  it('says what it would go to while it holds', () => {
    expect(run({ policy: policy({ hold: ['jq'] }) }).to?.version).toBe('1.8.2');
  });

  it('takes the newest inside of a pin', () => {
    const decision = run({
      observation: observation(tag('2.0'), tag('1.80'), tag('1.8.3'), tag('1.8.2')),
      policy: policy({ pin: { jq: '1.8' } }),
    });
    expect(decision.to?.version).toBe('1.8.3');
    expect(decision.evidence.map(({ fact }) => fact)).toContain('2.0 is outside of the pin 1.8');
  });

  describe('while its source fails', () => {
    it('does not claim to be up to date', () => {
      const decision = run({ observation: observation(tag('1.8.1')), failure: failure('2026-11-10T11:30:00Z') });
      expect(decision).toMatchObject({ action: 'hold', reason: 'source-failed' });
      expect(decision.evidence.at(-1)?.fact).toContain('upstream.answer-invalid');
    });

    it('still goes to a release that was seen before', () => {
      expect(run({ failure: failure('2026-11-10T11:30:00Z') })).toMatchObject({ action: 'bump' });
    });

    it('forgets a failure that is over', () => {
      const decision = run({ observation: observation(tag('1.8.1')), failure: failure('2026-11-10T10:30:00Z') });
      expect(decision).toMatchObject({ action: 'current' });
    });
  });

  describe('vulnerabilities', () => {
    it('says which ones the update fixes, and which not', () => {
      const findings = [finding('CVE-2026-2', '1.9'), finding('CVE-2026-1', '1.8.2'), finding('CVE-2026-3')];
      const decision = run({ findings });
      expect(decision).toMatchObject({ reason: 'fixes-vulnerability', fixes: ['CVE-2026-1'], urgency: 'security' });
      expect(decision.because).toBe('1.8.2 fixes CVE-2026-1');
      expect(decision.evidence.slice(-3).map(({ fact }) => fact)).toEqual([
        'CVE-2026-2 affects 1.8.1: fixed in 1.9',
        'CVE-2026-1 affects 1.8.1: fixed in 1.8.2; the update fixes it',
        'CVE-2026-3 affects 1.8.1: no version is known to fix it',
      ]);
    });

    it('reads the records themselves where a later branch is affected again', () => {
      const osv = osvSchema.parse({
        id: 'CVE-2026-1',
        modified: '2026-11-01T00:00:00Z',
        summary: 'Overflow',
        affected: [
          {
            package: { ecosystem: 'GIT', name: 'https://github.com/jqlang/jq' },
            ranges: [
              {
                type: 'ECOSYSTEM',
                events: [{ introduced: '0' }, { fixed: '1.8.2' }, { introduced: '1.9' }, { fixed: '1.9.3' }],
              },
            ],
          },
        ],
      });
      const advisories = indexAdvisories([osv]);
      const findings = [{ ...finding('CVE-2026-1', '1.8.2', '1.9.3'), summary: 'Overflow' }];
      expect(run({ findings, advisories, observation: observation(tag('1.9.1')) }).fixes).toEqual([]);
      expect(run({ findings, advisories, observation: observation(tag('1.9.3')) }).fixes).toEqual(['CVE-2026-1']);
    });

    it('shows them when there is nothing newer', () => {
      const decision = run({ observation: observation(tag('1.8.1')), findings: [finding('CVE-2026-3')] });
      expect(decision.action).toBe('current');
      expect(decision.evidence.at(-1)).toEqual({
        fact: 'CVE-2026-3 affects 1.8.1: no version is known to fix it',
        source: 'pkg:github/jqlang/jq',
      });
    });
  });

  describe('past updates', () => {
    it('goes on with the version that is open', () => {
      expect(run({ proposals: [proposal('1.8.2', {})] })).toMatchObject({ action: 'bump' });
    });

    const merged = proposal('1.8.2', { state: 'merged', closedAt: '2026-11-10T09:00:00Z' });

    it('breaks a loop: a version that was merged and that main went back from is not proposed again, ever', () => {
      for (const now of [new Date('2026-11-10T09:01:00Z'), new Date('2028-01-01T00:00:00Z')]) {
        const decision = run({ proposals: [merged], now });
        expect(decision).toMatchObject({ action: 'hold', reason: 'loop', to: { version: '1.8.2' } });
        expect(decision.until).toBeUndefined();
        expect(decision.because).toBe(
          'the update to 1.8.2 was merged at 2026-11-10T09:00:00Z (https://github.com/box/os/pull/7), and main is at 1.8.1 again: it is not made a second time',
        );
      }
    });

    it('does not stumble over a proposal whose title someone rewrote', () => {
      const odd = proposal('not a version', { state: 'merged' });
      expect(run({ proposals: [odd, { ...odd, state: 'open' }] })).toMatchObject({ action: 'bump' });
      const sequential = recipe('enabled: true\nrequire-sequential: true');
      expect(run({ recipe: sequential, proposals: [{ ...odd, state: 'open' }] })).toMatchObject({ action: 'bump' });
    });

    it('goes on with another version than the one that was made', () => {
      expect(run({ proposals: [{ ...merged, version: '1.8.0-r0' }] })).toMatchObject({ action: 'bump' });
      const newer = observation(tag('1.8.3'), tag('1.8.2'));
      expect(run({ proposals: [merged], observation: newer }).to?.version).toBe('1.8.3');
    });

    it('says who went back, where that is known', () => {
      const lastChange = { commit: 'deadbeefdeadbeefdeadbeef', at: '2026-11-10T10:00:00Z', author: 'Ada' };
      expect(run({ proposals: [merged], lastChange }).because).toContain(
        'main is at 1.8.1 again, last changed by Ada in deadbeefdead at 2026-11-10T10:00:00Z',
      );
    });

    it('breaks a loop by what the ledger remembers, with or without epoch', () => {
      for (const version of ['1.8.2', '1.8.2-r3']) {
        const decision = run({ history: [{ version, at: '2026-11-01T01:00:00Z' }] });
        expect(decision).toMatchObject({ reason: 'loop' });
        expect(decision.because).toContain('was proposed at 2026-11-01T01:00:00Z');
      }
    });

    it('holds what regrow itself closed, because main had it', () => {
      const closed = proposal('1.8.2', { state: 'closed', openedAt: '2026-11-01T00:00:00Z' });
      expect(run({ proposals: [closed] }).because).toMatch(/was closed at 2026-11-01/);
    });

    it('goes on when a person released the version, until it ends once more', () => {
      const released = { version: '1.8.2', at: '2026-11-10T09:30:00Z' };
      expect(run({ proposals: [merged], released })).toMatchObject({ action: 'bump' });
      const byHand = proposal('1.8.2', { state: 'closed', closedBy: 'ada', closedAt: '2026-11-10T09:00:00Z' });
      expect(run({ proposals: [byHand], released })).toMatchObject({ action: 'bump' });
      expect(run({ proposals: [merged], released: { ...released, version: '1.8.1' } })).toMatchObject({
        reason: 'loop',
      });
      const again = { ...merged, closedAt: '2026-11-10T10:00:00Z' };
      expect(run({ proposals: [merged, again], released })).toMatchObject({ reason: 'loop' });
    });

    it('takes the next version after one that was closed by hand', () => {
      const closed = proposal('1.8.2', { state: 'closed', closedBy: 'ada' });
      expect(run({ proposals: [closed], observation: observation(tag('1.8.3'), tag('1.8.2')) }).to?.version).toBe(
        '1.8.3',
      );
    });

    it('goes on with the open one where one update comes after the other, and says what waits for it', () => {
      const sequential = recipe('enabled: true\nrequire-sequential: true');
      const found = observation(tag('1.8.3'), tag('1.8.2'));
      const decision = run({ recipe: sequential, observation: found, proposals: [proposal('1.8.2', {})] });
      expect(decision).toMatchObject({ action: 'bump', to: { version: '1.8.2', tag: 'jq-1.8.2' } });
      expect(decision.evidence.map(({ fact }) => fact)).toContain(
        '1.8.3 is newer and waits until https://github.com/box/os/pull/7 is merged or closed: the recipe asks for one update after the other',
      );
      const closed = proposal('1.8.2', { state: 'closed', closedAt: '2026-11-02T00:00:00Z', closedBy: 'ada' });
      expect(run({ recipe: sequential, observation: found, proposals: [closed] }).to?.version).toBe('1.8.3');
    });

    it('does not wait for an open one of the same version', () => {
      const sequential = recipe('enabled: true\nrequire-sequential: true');
      expect(run({ recipe: sequential, proposals: [proposal('1.8.2', {})] })).toMatchObject({ action: 'bump' });
    });
  });

  it('throws for a pattern that cannot be read, naming the package', () => {
    const broken = recipe('enabled: true\nignore-regex-patterns:\n  - "("');
    expect(() => run({ recipe: broken })).toThrow(expect.objectContaining({ code: 'recipe.pattern-invalid' }));
  });
});
