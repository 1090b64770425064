import { z } from 'zod';

/** One fact that led to a decision, with where and when it was seen. */
export const evidenceSchema = z.strictObject({
  fact: z.string(),
  source: z.string(),
  at: z.string().optional(),
});

export const versionPointSchema = z.strictObject({ version: z.string(), epoch: z.number().int().nonnegative() });

/** Why it is decided so, and what is not done because of it. */
export const holdReasons = [
  'updates-disabled',
  'manual',
  'source-unsupported',
  'source-failed',
  'not-observed-yet',
  'no-usable-release',
  'downgrade',
  'pinned',
  'held',
  'cooling-down',
  'closed-by-hand',
  'loop',
  'moved-tag',
  'pins-nothing-new',
] as const;

/**
 * What should happen to one package, and why. `reason` is a closed set of codes, so that programs can count them;
 * `because` says it to a person.
 */
export const decisionSchema = z.strictObject({
  package: z.string(),
  action: z.enum(['bump', 'hold', 'ignore', 'current']),
  from: versionPointSchema,
  to: versionPointSchema
    .extend({
      tag: z.string(),
      source: z.string(),
      commit: z.string().optional(),
      /** Page of the release, where the source says it. */
      url: z.string().optional(),
    })
    .optional(),
  reason: z.enum(['newer-release', 'fixes-vulnerability', 'up-to-date', ...holdReasons]),
  because: z.string(),
  urgency: z.enum(['security', 'normal', 'low']),
  evidence: z.array(evidenceSchema),
  /** Ids of the advisories that the target version fixes. */
  fixes: z.array(z.string()),
  /** ISO 8601: a hold ends by itself then. */
  until: z.string().optional(),
  /** A tag that the recipe builds, which upstream moved from one commit to another. */
  movedTag: z.strictObject({ repository: z.string(), tag: z.string(), commit: z.string(), now: z.string() }).optional(),
});

export type Evidence = z.infer<typeof evidenceSchema>;
export type Decision = z.infer<typeof decisionSchema>;

const personsHolds: ReadonlySet<Decision['reason']> = new Set(['updates-disabled', 'manual', 'pinned', 'held']);

/** Whether a person's word keeps a package from being updated: then an open proposal merges by a person's hand alone. */
export function isPersonsHold({ reason }: Pick<Decision, 'reason'>): boolean {
  return personsHolds.has(reason);
}
