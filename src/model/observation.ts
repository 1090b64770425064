import { z } from 'zod';
import { osvSchema } from './osv.ts';

/** One release or tag as upstream names it; nothing of the recipe's `update:` block is applied yet. */
export const upstreamTagSchema = z.strictObject({
  tag: z.string(),
  /** The commit that the tag peels to, where the source says it. */
  commit: z.string().optional(),
  /** The tag object of an annotated tag, where the source says it. */
  object: z.string().optional(),
  /** ISO 8601, where the source says it. */
  publishedAt: z.string().optional(),
  prerelease: z.boolean().default(false),
  url: z.string().optional(),
  /** ISO 8601: when regrow first saw it at this commit, of a tag that came or moved after the first look at its source. */
  seenAt: z.string().optional(),
});

/** What one upstream source says now: `github:OWNER/REPO/releases`, `github:OWNER/REPO/tags`. */
export const releaseObservationSchema = z.strictObject({
  kind: z.literal('release'),
  /** The key of the source; recipes that watch the same place share it. */
  source: z.string(),
  /** In the source's order, newest first. */
  tags: z.array(upstreamTagSchema),
  /** Whether upstream has older ones that were not read. */
  more: z.boolean().optional(),
  observedAt: z.iso.datetime(),
});

/** Where a recipe's releases are seen, and what says so. */
export interface SourceChoice {
  /** `github:OWNER/REPO/tags` */
  readonly key: string;
  readonly chosenBy: 'annotation' | 'update' | 'address';
  /** Of `address`: the address of the recipe that it was read from. */
  readonly address?: string;
}

/** What an advisory feed says of one record now. */
export const advisoryObservationSchema = z.strictObject({
  kind: z.literal('advisory'),
  /** The feed's name in the configuration. */
  feed: z.string(),
  id: z.string(),
  osv: osvSchema,
  observedAt: z.iso.datetime(),
});

/** A source that could not be asked, or answered nonsense. Kept, so that `explain` can say since when. */
export const watchFailureSchema = z.strictObject({
  kind: z.literal('failure'),
  source: z.string(),
  code: z.string(),
  message: z.string(),
  observedAt: z.iso.datetime(),
});

export const observationSchema = z.discriminatedUnion('kind', [
  releaseObservationSchema,
  advisoryObservationSchema,
  watchFailureSchema,
]);

export type UpstreamTag = z.infer<typeof upstreamTagSchema>;
export type ReleaseObservation = z.infer<typeof releaseObservationSchema>;
export type AdvisoryObservation = z.infer<typeof advisoryObservationSchema>;
export type WatchFailure = z.infer<typeof watchFailureSchema>;
export type Observation = z.infer<typeof observationSchema>;
