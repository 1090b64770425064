import type { Policy } from '../model/policy.ts';
import type { RecipeAnnotations } from '../model/recipe/annotations.ts';

/** Updates that wait because a person said so. */
export interface Hold {
  /** Who says it: the configuration, or the recipe. */
  readonly by: string;
  readonly reason?: string | undefined;
  /** ISO 8601; it ends by itself then. */
  readonly until?: string | undefined;
}

/** The hold of a package that is not over; of several the one that lasts longest. */
export function holdOf(
  packageName: string,
  policy: Policy,
  annotations: RecipeAnnotations,
  now: Date,
): Hold | undefined {
  const holds: Hold[] = [];
  for (const entry of policy.hold) {
    const { package: name, reason, until } = typeof entry === 'string' ? { package: entry } : entry;
    if (name === packageName) holds.push({ by: 'the configuration (policy.hold)', reason, until });
  }
  if (annotations.hold !== undefined) {
    const until = annotations['hold-until'];
    holds.push({ by: 'the recipe (dev.regrow.hold)', reason: annotations.hold, until });
  }
  return holds
    .map((hold) => ({ hold, end: endOf(hold) }))
    .filter(({ end }) => end > now.getTime())
    .toSorted((a, b) => (a.end < b.end ? 1 : -1))
    .map(({ hold, end }) => (Number.isFinite(end) ? { ...hold, until: new Date(end).toISOString() } : hold))[0];
}

export function describeHold(version: string, { by, reason, until }: Hold): string {
  const why = reason === undefined ? '' : `: ${reason}`;
  return `${version} is out, but ${by} holds its updates${until === undefined ? '' : ` until ${until}`}${why}`;
}

/** Milliseconds since 1970; a date is its beginning, UTC. */
function endOf({ until }: Hold): number {
  return until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until);
}
