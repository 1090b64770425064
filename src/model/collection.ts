import { z } from 'zod';

/** What lies in the object store and may become unused, by where it lies; each has its own patience. */
export const collectedClasses = ['blob', 'package', 'log', 'input', 'request', 'result', 'image'] as const;
export type CollectedClass = (typeof collectedClasses)[number];

/** What keeps an object; the first that holds is said. */
export const keepReasons = [
  /** The current generation, or one that is kept: indexes, lists, packages and where they came from. */
  'generation',
  /** A tag: its index, manifests, layers, SBOMs, signatures and attestations. */
  'image',
  /** An image that lost its tag not so long ago, and may still be pulled by its digest. */
  'former-image',
  /** An image that a builder made and that may be published. */
  'built-image',
  /** A build that main or an open pull request asks for, or that runs. */
  'build',
  /** A build of a version that a rollback holds back. */
  'held-back',
  /** What a published package was built from, and the packages that were there when it was. */
  'inputs',
  /** The log of the newest build of a package on a target. */
  'newest-log',
] as const;
export type KeepReason = (typeof keepReasons)[number];

export const amountSchema = z.strictObject({
  objects: z.number().int().nonnegative(),
  bytes: z.number().int().nonnegative(),
});
const amountsSchema = z.partialRecord(z.enum(collectedClasses), amountSchema);

/** What one collection came to, or what one would come to. */
export const collectionSchema = z.strictObject({
  schema: z.literal(1),
  at: z.iso.datetime(),
  /** When it was asked for. */
  asked: z.iso.datetime(),
  /** Only looked: nothing was removed or noted. */
  dry: z.boolean(),
  removed: amountsSchema,
  /** Unused, and removed once that has been so for as long as the configuration says. */
  waiting: amountsSchema,
  /** Objects by what keeps them. */
  kept: z.partialRecord(z.enum(keepReasons), z.number().int().nonnegative()),
  /** What kept generations name and is not there, the first ones: the store is damaged. */
  missing: z.array(z.string()),
});

/** Objects that nothing used when they were last looked at, and since when; `collection/candidates.json`. */
export const candidatesSchema = z.strictObject({
  schema: z.literal(1),
  at: z.iso.datetime(),
  since: z.record(z.string(), z.iso.datetime()),
});

/** Keys of the last collection, of the last one that only looked, and of what they know from each other. */
export const collectionKey = 'collection/last.json';
export const dryCollectionKey = 'collection/dry.json';
export const candidatesKey = 'collection/candidates.json';

export type Amount = z.infer<typeof amountSchema>;
export type Amounts = z.infer<typeof amountsSchema>;
export type Collection = z.infer<typeof collectionSchema>;
