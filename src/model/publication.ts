import { z } from 'zod';
import { artifactSchema } from './artifact.ts';
import { targetNameSchema } from './target.ts';

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
  targets: z.partialRecord(targetNameSchema, z.strictObject({ index: z.string(), packages: z.string() })),
  /** What this generation added or took away, `NAME-VERSION-rN TARGET`. */
  added: z.array(z.string()),
  removed: z.array(z.string()),
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
  /** Where it was pushed: `HOST/NAME:TAG`. In the ledger alone; absent: nowhere. */
  pushed: z.array(z.strictObject({ to: z.string(), at: z.iso.datetime() })).optional(),
});

/** The image tags that are published; the pointer `images/current`. */
export const imageCatalogueSchema = z.strictObject({ schema: z.literal(1), images: z.array(imagePublicationSchema) });

export type Generation = z.infer<typeof generationSchema>;
export type ImagePublication = z.infer<typeof imagePublicationSchema>;
export type ImageCatalogue = z.infer<typeof imageCatalogueSchema>;
