import { decide } from '../../../src/decide/decide.ts';
import type { DecideInput } from '../../../src/decide/input.ts';
import { type Decision, decisionSchema } from '../../../src/model/decision.ts';
import type { Finding } from '../../../src/model/finding.ts';
import type { ReleaseObservation, UpstreamTag, WatchFailure } from '../../../src/model/observation.ts';
import { type Policy, policySchema } from '../../../src/model/policy.ts';
import type { Proposal } from '../../../src/model/proposal.ts';
import { parseRecipe, type Recipe } from '../../../src/model/recipe/recipe.ts';

export const now = new Date('2026-11-10T12:00:00Z');
export const source = 'github:jqlang/jq/releases';

export function recipe(update = 'enabled: true', version = '1.8.1'): Recipe {
  const lines = `${update}\ngithub:\n  identifier: jqlang/jq\n  strip-prefix: jq-`;
  const block = lines.split('\n').map((line) => `  ${line}`);
  const head = ['package:', '  name: jq', `  version: "${version}"`, '  epoch: 2', 'update:'];
  return parseRecipe('jq.yaml', `${[...head, ...block].join('\n')}\n`).recipe;
}

export function annotatedRecipe(annotations: Readonly<Record<string, string>>): Recipe {
  const plain = recipe();
  const prefixed = Object.entries(annotations).map(([key, value]) => [`dev.regrow.${key}`, value]);
  return { ...plain, package: { ...plain.package, annotations: Object.fromEntries(prefixed) } };
}

export const tag = (version: string, hoursAgo?: number): UpstreamTag => ({
  tag: `jq-${version}`,
  prerelease: false,
  ...(hoursAgo === undefined ? {} : { publishedAt: new Date(now.getTime() - hoursAgo * 3_600_000).toISOString() }),
});

export const observation = (...tags: readonly UpstreamTag[]): ReleaseObservation => ({
  kind: 'release',
  source,
  tags: [...tags],
  observedAt: '2026-11-10T11:00:00Z',
});

export const failure = (at: string): WatchFailure => ({
  kind: 'failure',
  source,
  code: 'upstream.answer-invalid',
  message: 'the answer is text that is not JSON',
  observedAt: at,
});

export const finding = (advisory: string, ...fixedIn: readonly string[]): Finding => ({
  advisory,
  aliases: [],
  package: 'jq',
  version: '1.8.1',
  component: 'pkg:github/jqlang/jq',
  fixedIn: [...fixedIn],
});

export const proposal = (version: string, more: Partial<Proposal>): Proposal => ({
  package: 'jq',
  version: `${version}-r0`,
  number: 7,
  url: 'https://github.com/box/os/pull/7',
  branch: 'regrow/jq',
  title: `jq/${version} package update`,
  state: 'open',
  head: 'a',
  base: 'b',
  changes: [],
  fixes: [],
  labels: [],
  openedAt: '2026-11-10T10:00:00Z',
  ...more,
});

/** The decision about jq 1.8.1, where upstream has 1.8.2, unless the case says otherwise. */
export const run = (more: Partial<DecideInput> = {}): Decision => {
  const decision = decide({
    recipe: recipe(),
    source: { key: source, chosenBy: 'update' },
    observation: observation(tag('1.8.2')),
    findings: [],
    proposals: [],
    policy: policySchema.parse({}),
    history: [],
    now,
    ...more,
  });
  return decisionSchema.parse(decision);
};

export const policy = (value: object): Policy => policySchema.parse(value);
