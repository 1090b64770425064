import { z } from 'zod';
import { artifactSchema } from './artifact.ts';
import { targetNameSchema } from './target.ts';

/** One version of a recipe that is not to be published: all its packages, on all targets. */
export const withdrawnSchema = z.strictObject({
  /** Name of the recipe. */
  origin: z.string(),
  /** Full version. */
  version: z.string(),
  reason: z.string(),
  at: z.iso.datetime(),
  /** Only held back, because the repository went back to this generation; absent: withdrawn for good. */
  rolledBackTo: z.number().int().nonnegative().optional(),
});

/**
 * One generation of the distribution: every target at once, so that no target is ever ahead of another. The pointer
 * `repository/current` holds the manifest of the newest; older manifests stay under `repository/generations/N.json`.
 */
export const generationSchema = z.strictObject({
  schema: z.literal(1),
  generation: z.number().int().nonnegative(),
  parent: z.number().int().nonnegative().optional(),
  /** Fencing token of the publisher that wrote it: a lower one than the current one's is refused. */
  token: z.number().int().nonnegative(),
  at: z.iso.datetime(),
  /** By target name. `index`: digest of APKINDEX.tar.gz. `packages`: digest of the JSON list of its artifacts. */
  targets: z.partialRecord(
    targetNameSchema,
    z.strictObject({
      index: z.string(),
      packages: z.string(),
      /** How many packages are in the list. */
      count: z.number().int().nonnegative().optional(),
    }),
  ),
  /** What this generation added or took away, `NAME-VERSION-rN TARGET`. */
  added: z.array(z.string()),
  removed: z.array(z.string()),
  /** Carried on from generation to generation, sorted by origin, then by when. */
  withdrawn: z.array(withdrawnSchema).optional(),
  /** Which generation this one went back to. */
  rolledBackTo: z.number().int().nonnegative().optional(),
});

/** The artifacts of one target in one generation, sorted by name, then version. */
export const publishedPackagesSchema = z.array(artifactSchema);

/** One image tag that is published. */
export const imagePublicationSchema = z.strictObject({
  /** `NAME:TAG`, as one would pull it. */
  ref: z.string(),
  /** Digest of the image index, `sha256:HEX`. */
  digest: z.string(),
  generation: z.number().int(),
  at: z.iso.datetime(),
  platforms: z.array(
    z.strictObject({
      target: targetNameSchema,
      manifest: z.string(),
      packages: z.array(z.strictObject({ name: z.string(), version: z.string(), origin: z.string() })),
      /** What the image printed when it was run as a gate. */
      output: z.string(),
    }),
  ),
  /** Ids of the known vulnerabilities at the time. */
  vulnerabilities: z.array(z.string()),
  /** Where it was pushed: `HOST/NAME:TAG`, and with which signatures. In the ledger alone; absent: nowhere. */
  pushed: z.array(z.strictObject({ to: z.string(), at: z.iso.datetime(), attached: z.string().optional() })).optional(),
});

/** The image tags that are published; the pointer `images/current`. */
export const imageCatalogueSchema = z.strictObject({ schema: z.literal(1), images: z.array(imagePublicationSchema) });

export type Withdrawn = z.infer<typeof withdrawnSchema>;
export type Generation = z.infer<typeof generationSchema>;
export type ImagePublication = z.infer<typeof imagePublicationSchema>;
export type ImageCatalogue = z.infer<typeof imageCatalogueSchema>;
