import { z } from 'zod';

/** One thing that happened, for people and for history. `id` is made from the effect, so that a repeat is the same event. */
export const ledgerEventSchema = z.strictObject({
  id: z.string(),
  at: z.iso.datetime(),
  kind: z.enum([
    'release-seen',
    'advisory-seen',
    'source-failed',
    'decided',
    'proposed',
    'proposal-updated',
    'proposal-merged',
    'proposal-closed',
    'build-queued',
    'build-passed',
    'build-failed',
    'verified',
    'gate-failed',
    'published',
    'image-published',
    'image-pushed',
    'image-failed',
    'finding-opened',
    'finding-closed',
    'recipe-invalid',
    'loop-stopped',
    'tag-moved',
    'released',
    'withdrawn',
    'rolled-back',
    'collected',
    'problem',
  ]),
  package: z.string().optional(),
  /** One sentence. */
  text: z.string(),
  /** Facts for programs: short scalars only. */
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
});

export type LedgerEvent = z.infer<typeof ledgerEventSchema>;
