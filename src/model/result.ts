import { z } from 'zod';
import { buildFailureSchema, buildResultSchema } from './build.ts';
import { collectionSchema } from './collection.ts';
import { advisoryObservationSchema, releaseObservationSchema, watchFailureSchema } from './observation.ts';
import { generationSchema, imagePublicationSchema } from './publication.ts';
import { targetNameSchema } from './target.ts';
import { verdictSchema } from './verdict.ts';

/**
 * What a worker leaves when a job is done, under `results/EFFECT.json`. The document is the truth; the message on the
 * `results` queue only says that it is there. The conductor finds it by its effect even when the message was lost.
 */
const common = { effect: z.string(), at: z.iso.datetime() };

/** What one source said. */
export const watchAnswerSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('unchanged'), source: z.string() }),
  z.strictObject({
    kind: z.literal('observed'),
    source: z.string(),
    observation: releaseObservationSchema,
    cursor: z.string().optional(),
  }),
  z.strictObject({ kind: z.literal('failed'), source: z.string(), failure: watchFailureSchema }),
]);

/** Some of the answers to one watch request; `end` is in the last of its results. */
export const watchedResultSchema = z.strictObject({
  ...common,
  kind: z.literal('watched'),
  /** Key of the request. */
  request: z.string(),
  answers: z.array(watchAnswerSchema),
  end: z
    .strictObject({
      /** What was not asked because a host wants to be left alone. */
      unasked: z.array(z.string()),
      /** Seconds, where the host said how long. */
      retryAfter: z.number().optional(),
    })
    .optional(),
});

/** What an advisory feed said. */
export const observedResultSchema = z.strictObject({
  ...common,
  kind: z.literal('observed'),
  /** The feed's name. */
  source: z.string(),
  observations: z.array(z.discriminatedUnion('kind', [advisoryObservationSchema, watchFailureSchema])),
  cursor: z.strictObject({ etag: z.string().optional(), cursor: z.string().optional() }).optional(),
  /** Of an advisory feed: which part of which poll this is. */
  part: z
    .strictObject({
      slot: z.number().int(),
      /** From 0. */
      number: z.number().int(),
      /** The cursor that it was read from; absent: from the beginning of the feed. */
      start: z.string().optional(),
      /** What answered whole, by the names that its failures have. */
      answered: z.array(z.string()),
      /** Whether there is another part, to be read from `cursor`. */
      more: z.boolean(),
    })
    .optional(),
});

export const builtResultSchema = z.strictObject({
  ...common,
  kind: z.literal('built'),
  attempt: z.number().int(),
  build: buildResultSchema,
});

export const verifiedResultSchema = z.strictObject({
  ...common,
  kind: z.literal('verified'),
  verdicts: z.array(verdictSchema),
  /** The repository's generation before they were judged; 0 before the first. */
  generation: z.number().int().optional(),
});

export const refusalSchema = z.strictObject({
  /** Origin. */
  package: z.string(),
  code: z.string(),
  message: z.string(),
  /** Digests of the packages of the origin that were asked to be published, sorted: it is refused while it has these. */
  digests: z.array(z.string()),
  /** The verdicts that were not believed, by the digest of each and the build key that it is of. */
  doubted: z.array(z.strictObject({ buildKey: z.string(), verdict: z.string() })).optional(),
});

export const publishedResultSchema = z.strictObject({
  ...common,
  kind: z.literal('published'),
  generation: generationSchema.optional(),
  failure: buildFailureSchema.optional(),
  /** What was left out because it can never be published as it is; the rest is published. */
  refused: z.array(refusalSchema).optional(),
});

export const imageBuiltResultSchema = z.strictObject({
  ...common,
  kind: z.literal('image-built'),
  name: z.string(),
  /** Hex digest of the image index; absent when it failed. */
  index: z.string().optional(),
  /** Hex digests of every blob of the image, the index among them. */
  blobs: z.array(z.string()),
  platforms: z.array(z.strictObject({ target: targetNameSchema, manifest: z.string(), output: z.string() })),
  failure: buildFailureSchema.optional(),
});

export const imagePublishedResultSchema = z.strictObject({
  ...common,
  kind: z.literal('image-published'),
  publication: imagePublicationSchema.optional(),
  failure: buildFailureSchema.optional(),
});

export const imagePushedResultSchema = z.strictObject({
  ...common,
  kind: z.literal('image-pushed'),
  failure: buildFailureSchema.optional(),
});

/** What came of signing an image, or the packages of a generation, by an identity. */
export const signedResultSchema = z.strictObject({
  ...common,
  kind: z.literal('signed'),
  failure: buildFailureSchema.optional(),
});

export const collectedResultSchema = z.strictObject({
  ...common,
  kind: z.literal('collected'),
  collection: collectionSchema.optional(),
  failure: buildFailureSchema.optional(),
});

export const resultSchema = z.discriminatedUnion('kind', [
  watchedResultSchema,
  observedResultSchema,
  builtResultSchema,
  verifiedResultSchema,
  publishedResultSchema,
  imageBuiltResultSchema,
  imagePublishedResultSchema,
  imagePushedResultSchema,
  signedResultSchema,
  collectedResultSchema,
]);

export type WatchAnswer = z.infer<typeof watchAnswerSchema>;
export type WatchedResult = z.infer<typeof watchedResultSchema>;
export type ObservedResult = z.infer<typeof observedResultSchema>;
export type ImageBuiltResult = z.infer<typeof imageBuiltResultSchema>;
export type CollectedResult = z.infer<typeof collectedResultSchema>;
export type PublishedResult = z.infer<typeof publishedResultSchema>;
export type VerifiedResult = z.infer<typeof verifiedResultSchema>;
export type Refusal = z.infer<typeof refusalSchema>;
export type Result = z.infer<typeof resultSchema>;
