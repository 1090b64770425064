import { z } from 'zod';
import { buildFailureSchema, buildResultSchema } from './build.ts';
import { observationSchema } from './observation.ts';
import { generationSchema, imagePublicationSchema } from './publication.ts';
import { targetNameSchema } from './target.ts';
import { verdictSchema } from './verdict.ts';

/**
 * What a worker leaves when a job is done, under `results/EFFECT.json`. The document is the truth; the message on the
 * `results` queue only says that it is there. The conductor finds it by its effect even when the message was lost.
 */
const common = { effect: z.string(), at: z.iso.datetime() };

export const observedResultSchema = z.strictObject({
  ...common,
  kind: z.literal('observed'),
  /** Source key, or feed name. */
  source: z.string(),
  observations: z.array(observationSchema),
  cursor: z.strictObject({ etag: z.string().optional(), cursor: z.string().optional() }).optional(),
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
});

export const publishedResultSchema = z.strictObject({
  ...common,
  kind: z.literal('published'),
  generation: generationSchema.optional(),
  failure: buildFailureSchema.optional(),
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

export const resultSchema = z.discriminatedUnion('kind', [
  observedResultSchema,
  builtResultSchema,
  verifiedResultSchema,
  publishedResultSchema,
  imageBuiltResultSchema,
  imagePublishedResultSchema,
]);

export type ObservedResult = z.infer<typeof observedResultSchema>;
export type ImageBuiltResult = z.infer<typeof imageBuiltResultSchema>;
export type Result = z.infer<typeof resultSchema>;
