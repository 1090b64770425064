import { describe, expect, it } from 'vitest';
import type { SourceChoice, UpstreamTag } from '../../../src/model/observation.ts';
import { parseRecipe, type Recipe } from '../../../src/model/recipe/recipe.ts';
import { annotatedRecipe, finding, observation, policy, run, source, tag } from './case.ts';

describe('cooldown', () => {
  const cooling = policy({ cooldownHours: 48 });

  it('waits until the release is old enough', () => {
    const decision = run({ observation: observation(tag('1.8.2', 8)), policy: cooling });
    expect(decision).toMatchObject({ action: 'hold', reason: 'cooling-down', until: '2026-11-12T04:00:00.000Z' });
  });

  it('takes an older release that is', () => {
    const found = observation(tag('1.8.3', 8), tag('1.8.2', 60));
    const decision = run({ observation: found, policy: cooling });
    expect(decision.to?.version).toBe('1.8.2');
    expect(decision.evidence.map(({ fact }) => fact)).toContain(
      '1.8.3 is newer and waits until 2026-11-12T04:00:00.000Z',
    );
  });

  it('does not wait for a source that gives no dates', () => {
    expect(run({ policy: cooling })).toMatchObject({ action: 'bump' });
    const odd = observation({ ...tag('1.8.2'), publishedAt: 'yesterday' });
    expect(run({ policy: cooling, observation: odd })).toMatchObject({ action: 'bump' });
  });

  it("is that of the kind of source, and the recipe's own before", () => {
    const found = observation(tag('1.8.2', 8));
    const policies = policy({ cooldownHours: 48, cooldown: { github: 4, npm: 72 } });
    expect(run({ observation: found, policy: policies })).toMatchObject({ action: 'bump' });
    const npm = { key: 'npm:jq', chosenBy: 'annotation' } as const;
    expect(run({ source: npm, observation: found, policy: policies }).because).toContain('72 h, policy.cooldown.npm');
    const own = annotatedRecipe({ 'cooldown-hours': '9' });
    expect(run({ recipe: own, observation: found, policy: policies }).because).toContain(
      '(9 h, dev.regrow.cooldown-hours)',
    );
  });

  it('counts from when regrow first saw it where the source gives no date, or one that is yet to come', () => {
    const seen = { seenAt: '2026-11-10T00:00:00.000Z' };
    const until = '2026-11-12T00:00:00.000Z';
    expect(run({ policy: cooling, observation: observation({ ...tag('1.8.2'), ...seen }) })).toMatchObject({ until });
    const future = { ...tag('1.8.2', -9000), ...seen };
    expect(run({ policy: cooling, observation: observation(future) })).toMatchObject({ until });
  });

  it('does not believe the date that an author wrote on a tag', () => {
    const backdated = { ...tag('1.8.2', 9000), seenAt: '2026-11-10T00:00:00.000Z' };
    const tags = { key: 'github:jqlang/jq/tags', chosenBy: 'update' } as const;
    expect(run({ source: tags, policy: cooling, observation: observation(backdated) })).toMatchObject({
      reason: 'cooling-down',
      until: '2026-11-12T00:00:00.000Z',
    });
    expect(run({ policy: cooling, observation: observation(backdated) })).toMatchObject({ action: 'bump' });
  });

  it('is skipped by a release that fixes a vulnerability', () => {
    const found = observation(tag('1.8.3', 8), tag('1.8.2', 60));
    const decision = run({ observation: found, policy: cooling, findings: [finding('CVE-2026-1', '1.8.3')] });
    expect(decision).toMatchObject({ action: 'bump', reason: 'fixes-vulnerability', urgency: 'security' });
    expect(decision.to?.version).toBe('1.8.3');
  });

  it('is not skipped when the older release fixes it too', () => {
    const found = observation(tag('1.8.3', 8), tag('1.8.2', 60));
    const decision = run({ observation: found, policy: cooling, findings: [finding('CVE-2026-1', '1.8.2')] });
    expect(decision.to?.version).toBe('1.8.2');
    expect(decision.fixes).toEqual(['CVE-2026-1']);
  });
});

describe('pins', () => {
  const nothingNew = {
    version: '1.8.2',
    lookedUp: ['https://github.com/jqlang/jq jq-1.8.2 is c0ffee'],
    at: '2026-11-10T10:00:00Z',
  };

  it('does not propose a version that would pin nothing new, and says what was looked at', () => {
    const decision = run({ nothingNew });
    expect(decision).toMatchObject({ action: 'hold', reason: 'pins-nothing-new', to: { version: '1.8.2' } });
    expect(decision.because).toBe('1.8.2 is only another name for what 1.8.1 builds: its source is the same');
    expect(decision.evidence).toContainEqual({
      fact: 'https://github.com/jqlang/jq jq-1.8.2 is c0ffee',
      source: 'sources',
      at: '2026-11-10T10:00:00Z',
    });
  });

  it('proposes the version after it, and the version itself when a person releases it', () => {
    expect(run({ nothingNew, observation: observation(tag('1.8.3')) })).toMatchObject({ action: 'bump' });
    const released = { version: '1.8.2', at: '2026-11-10T11:30:00Z' };
    expect(run({ nothingNew, released })).toMatchObject({ action: 'bump' });
  });

  const pinning = (pin: { repository?: string; tag?: string; more?: string }) =>
    parseRecipe(
      'jq.yaml',
      `package:
  name: jq
  version: "1.8.1"
  epoch: 0
vars:
  sha: ${'a'.repeat(40)}
pipeline:
  - uses: git-checkout
    with:
      repository: ${pin.repository ?? 'https://github.com/jqlang/jq.git'}
      tag: ${pin.tag ?? 'jq-${{package.version}}'}
      expected-commit: \${{vars.sha}}
${pin.more ?? ''}update:
  enabled: true
  github:
    identifier: jqlang/jq
    strip-prefix: jq-
`,
    ).recipe;
  const at = (version: string, commit: string): UpstreamTag => ({ ...tag(version), commit });
  const repository = 'https://github.com/jqlang/jq.git';

  it('never takes a tag that moved for a new version: both commits are told', () => {
    const decision = run({ recipe: pinning({}), observation: observation(at('1.8.1', 'b'.repeat(40))) });
    expect(decision).toMatchObject({
      action: 'hold',
      reason: 'moved-tag',
      movedTag: { repository, tag: 'jq-1.8.1', commit: 'a'.repeat(40), now: 'b'.repeat(40) },
    });
    expect(decision.because).toContain(`was at ${'a'.repeat(40)} and is now at ${'b'.repeat(40)}`);
    expect(decision.to).toBeUndefined();
  });

  it('goes on to a newer version, and tells of the tag all the same', () => {
    const found = observation(at('1.8.2', 'c'.repeat(40)), at('1.8.1', 'b'.repeat(40)));
    const decision = run({ recipe: pinning({}), observation: found });
    expect(decision).toMatchObject({ action: 'bump', to: { version: '1.8.2' }, movedTag: { now: 'b'.repeat(40) } });
    expect(decision.evidence.map(({ fact }) => fact)).toContain(
      `tag jq-1.8.1 of ${repository} was at ${'a'.repeat(40)} and is now at ${'b'.repeat(40)}`,
    );
  });

  it('finds the one that moved among several', () => {
    const more = `  - uses: git-checkout\n    with: {repository: 'https://github.com/JQLang/jq', tag: docs-1, expected-commit: ${'d'.repeat(40)}}\n`;
    const found = observation(
      { tag: 'docs-1', prerelease: false, commit: 'e'.repeat(40) },
      at('1.8.1', 'a'.repeat(40)),
    );
    const decision = run({ recipe: pinning({ more }), observation: found });
    expect(decision.movedTag).toMatchObject({ tag: 'docs-1', now: 'e'.repeat(40) });
  });

  const calm: readonly [string, Recipe, UpstreamTag][] = [
    ['the commit is the same', pinning({}), at('1.8.1', 'a'.repeat(40))],
    ['the source says no commit', pinning({}), tag('1.8.1')],
    ['the pin is the tag object', pinning({}), { ...at('1.8.1', 'b'.repeat(40)), object: 'a'.repeat(40) }],
    ['the pin is of a fork', pinning({ repository: 'https://github.com/fork/jq' }), at('1.8.1', 'b'.repeat(40))],
    ['the pin is of another tag', pinning({ tag: 'v1.8.1' }), at('1.8.1', 'b'.repeat(40))],
    ['nothing defines the tag', pinning({ tag: 'jq-${{vars.none}}' }), at('1.8.1', 'b'.repeat(40))],
  ];
  for (const [what, pinned, found] of calm) {
    it(`raises no alarm where ${what}`, () => {
      const decision = run({ recipe: pinned, observation: observation(found) });
      expect(decision).toMatchObject({ action: 'current', reason: 'up-to-date' });
      expect(decision.movedTag).toBeUndefined();
    });
  }
});

describe('holds', () => {
  const held = (more: object) => policy({ hold: [{ package: 'jq', reason: 'the new parser is slow', ...more }] });

  it('says why and until when', () => {
    const decision = run({ policy: held({ until: '2026-12-01' }) });
    expect(decision).toMatchObject({ reason: 'held', until: '2026-12-01T00:00:00.000Z' });
    expect(decision.because).toBe(
      '1.8.2 is out, but the configuration (policy.hold) holds its updates until 2026-12-01T00:00:00.000Z: the new parser is slow',
    );
  });

  it('ends by itself', () => {
    expect(run({ policy: held({ until: '2026-11-10T12:00:00Z' }) })).toMatchObject({ action: 'bump' });
    expect(run({ policy: held({ until: '2026-11-10T14:00:00+03:00' }) })).toMatchObject({ action: 'bump' });
  });

  it("takes the recipe's own word too, and the hold that lasts longest", () => {
    const annotated = annotatedRecipe({ hold: 'waits for libonig', 'hold-until': '2027-01-01' });
    expect(run({ recipe: annotated })).toMatchObject({ reason: 'held', until: '2027-01-01T00:00:00.000Z' });
    const both = run({ recipe: annotated, policy: held({}) });
    expect(both.until).toBeUndefined();
    expect(both.because).toContain('policy.hold');
  });
});

describe('annotations', () => {
  it('pins before the configuration does', () => {
    const found = observation(tag('2.0'), tag('1.8.3'), tag('1.9'));
    const pinned = annotatedRecipe({ pin: '1.8' });
    expect(run({ recipe: pinned, observation: found, policy: policy({ pin: { jq: '2' } }) }).to?.version).toBe('1.8.3');
    const nothing = run({ recipe: pinned, observation: observation(tag('2.0')) });
    expect(nothing.because).toBe('2.0 is out, but the recipe (dev.regrow.pin) keeps it on 1.8');
  });

  it('leaves single versions out', () => {
    const found = observation(tag('1.8.4'), tag('1.8.3'), tag('1.8.2'));
    const decision = run({ recipe: annotatedRecipe({ ignore: '1.8.4, 1.8.3' }), observation: found });
    expect(decision.to?.version).toBe('1.8.2');
    expect(decision.evidence.at(-1)?.fact).toContain('jq-1.8.4 (dev.regrow.ignore)');
  });

  it('throws for one that cannot be read', () => {
    expect(() => run({ recipe: annotatedRecipe({ holt: 'x' }) })).toThrow(
      expect.objectContaining({ code: 'recipe.annotation-invalid' }),
    );
  });
});

it('does not take the end of a hold for one', () => {
  expect(() => run({ recipe: annotatedRecipe({ 'hold-until': '2027-01-01' }) })).toThrow(
    expect.objectContaining({ where: { package: 'jq', field: 'package.annotations.dev.regrow.hold-until' } }),
  );
});

describe('sources that the block does not name', () => {
  const bare = parseRecipe(
    'jq.yaml',
    'package:\n  name: jq\n  version: "1.8.1"\n  epoch: 0\nupdate:\n  enabled: true\n  schedule: {period: weekly, reason: few}\n',
  ).recipe;
  const found = observation({ tag: 'v1.8.2', prerelease: false });

  it('says what chose the source, and takes a v off', () => {
    const facts = (chosen: SourceChoice) =>
      run({ recipe: bare, source: chosen, observation: found }).evidence.map(({ fact }) => fact);
    const address = 'https://github.com/jqlang/jq/archive/v${{package.version}}.tar.gz';
    expect(facts({ key: source, chosenBy: 'address', address })).toEqual([
      `github:jqlang/jq/releases lists 1 tag; the \`update:\` block names no place, and the source is ${address}`,
      'a v before the number of a tag is taken off: the recipe names no prefix',
      'the recipe asks to look weekly: few',
      'upstream has tag v1.8.2, read as version 1.8.2',
    ]);
    expect(facts({ key: source, chosenBy: 'annotation' })[0]).toContain('the annotation dev.regrow.source names it');
  });
});

describe('streams', () => {
  const stream = (name: string, version: string, more = '') =>
    parseRecipe(
      `${name}.yaml`,
      `package:\n  name: ${name}\n  version: "${version}"\n  epoch: 0\n${more}update:\n  enabled: true\n  github:\n    identifier: a/b\n`,
    ).recipe;
  const found = observation(
    { tag: '2.0', prerelease: false },
    { tag: '1.34.2', prerelease: false },
    { tag: '1.340', prerelease: false },
  );

  it('keeps a package to the version in its name', () => {
    const decision = run({ recipe: stream('kubernetes-1.34', '1.34.1'), observation: found });
    expect(decision.to?.version).toBe('1.34.2');
    expect(decision.evidence.at(-1)?.fact).toBe('2 left out: not of the stream that its name is for: 2.0, 1.340');
    expect(run({ recipe: stream('kubernetes-1.34', '1.34.2'), observation: found }).because).toBe(
      '1.34.2 is the newest release in the stream 1.34 that its name is for',
    );
    expect(run({ recipe: stream('kubernetes-1.33', '1.33.2'), observation: found }).because).toContain('stream 1.33');
  });

  it('lets it go where its version is of no such stream, and where a person says so', () => {
    expect(run({ recipe: stream('pg_cron-18', '1.6.7'), observation: found }).to?.version).toBe('2.0');
    const any = stream('kubernetes-1.34', '1.34.1', '  annotations:\n    dev.regrow.stream: any\n');
    expect(run({ recipe: any, observation: found }).to?.version).toBe('2.0');
    const named = policy({ anyStream: ['kubernetes-1.34'] });
    expect(run({ recipe: stream('kubernetes-1.34', '1.34.1'), observation: found, policy: named }).to?.version).toBe(
      '2.0',
    );
  });
});
