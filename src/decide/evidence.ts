import type { Evidence } from '../model/decision.ts';
import type { Finding } from '../model/finding.ts';
import type { ReleaseObservation, SourceChoice } from '../model/observation.ts';
import type { UpdateBlock } from '../model/recipe/recipe.ts';
import { type Candidate, type Rejection, type RejectionReason, stripsLeadingV } from './version-rules.ts';

const examples = 3;

export function describeObservation(observation: ReleaseObservation, choice: SourceChoice): Evidence {
  const { tags, source, observedAt } = observation;
  const count = `${tags.length} ${tags.length === 1 ? 'tag' : 'tags'}`;
  return { fact: `${source} lists ${count}; ${whyThere(choice)}`, source, at: observedAt };
}

/** Of a source that has not answered yet. */
export function describeChoice(choice: SourceChoice): Evidence {
  return { fact: `${choice.key} is watched: ${whyThere(choice)}`, source: choice.key };
}

function whyThere({ chosenBy, address }: SourceChoice): string {
  if (chosenBy === 'update') return 'the `update:` block names it';
  if (chosenBy === 'annotation') return 'the annotation dev.regrow.source names it';
  return `the \`update:\` block names no place, and the source is ${address ?? 'from there'}`;
}

/** What the recipe says on how tags are read and how often, as far as it is not seen in the tags themselves. */
export function describeReading(update: UpdateBlock, source: SourceChoice): Evidence[] {
  const { schedule } = update;
  const facts: string[] = [];
  if (stripsLeadingV(update, source))
    facts.push('a v before the number of a tag is taken off: the recipe names no prefix');
  if (schedule !== undefined) {
    facts.push(
      `the recipe asks to look ${schedule.period}${schedule.reason === undefined ? '' : `: ${schedule.reason}`}`,
    );
  }
  return facts.map((fact) => ({ fact, source: 'recipe' }));
}

/** What upstream says of the version that is gone to. */
export function describeTarget(
  { version, tag }: Candidate,
  notes: readonly string[],
  observation: ReleaseObservation,
): Evidence[] {
  const source = tag.url ?? observation.source;
  const published = tag.publishedAt === undefined ? '' : `, published ${tag.publishedAt}`;
  const read = tag.tag === version ? '' : `, read as version ${version}`;
  return [
    { fact: `upstream has tag ${tag.tag}${published}${read}`, source, at: observation.observedAt },
    ...notes.map((fact) => ({ fact, source: 'policy' })),
  ];
}

const words: Readonly<Record<RejectionReason, string>> = {
  filtered: 'left out by the tag filter',
  ignored: 'left out by an ignore pattern',
  'pre-release': 'left out as pre-releases',
  'invalid-version': 'left out: not apk versions',
  'other-stream': 'left out: not of the stream that its name is for',
};

/** One line per rule that left tags out, with the first of them. */
export function describeRejections(rejected: readonly Rejection[], observation: ReleaseObservation): Evidence[] {
  const reasons = [...new Set(rejected.map(({ reason }) => reason))];
  return reasons.map((reason) => {
    const ones = rejected.filter((rejection) => rejection.reason === reason);
    const named = ones.slice(0, examples).map(({ tag, detail }) => (tag === detail ? tag : `${tag} (${detail})`));
    const more = ones.length > examples ? ` and ${ones.length - examples} more` : '';
    return {
      fact: `${ones.length} ${words[reason]}: ${named.join(', ')}${more}`,
      source: observation.source,
      at: observation.observedAt,
    };
  });
}

/** The known vulnerabilities, and what becomes of each. */
export function describeFindings(findings: readonly Finding[], fixes: readonly string[]): Evidence[] {
  return findings.map((finding) => {
    const what = finding.summary === undefined ? '' : ` (${finding.summary})`;
    const fixed =
      finding.fixedIn.length === 0 ? 'no version is known to fix it' : `fixed in ${finding.fixedIn.join(', ')}`;
    const end = fixes.includes(finding.advisory) ? '; the update fixes it' : '';
    return { fact: `${finding.advisory} affects ${finding.version}${what}: ${fixed}${end}`, source: finding.component };
  });
}
