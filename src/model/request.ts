import { z } from 'zod';
import { artifactSchema } from './artifact.ts';
import { lockedPackageSchema } from './build.ts';
import { findingSchema } from './finding.ts';
import { imageEngines } from './image-support.ts';
import { purposeSchema } from './plan.ts';
import { targetNameSchema } from './target.ts';
import { differencePolicySchema, verdictSchema } from './verdict.ts';
import { watcherSchema } from './watch.ts';

/** Work that is too large for a queue's payload lies in the object store under `requests/DIGEST.json`; jobs carry the key. */

/** What a recipe lets a package say of others; what is found in the files of a package has a prefix, `so:`, and is not among it. */
const claimsSchema = z.strictObject({
  provides: z.array(z.string()),
  replaces: z.array(z.string()),
  providerPriority: z.number().int().optional(),
  replacesPriority: z.number().int().optional(),
});

const judgedBuildSchema = z.strictObject({
  buildKey: z.string(),
  attempt: z.number().int(),
  target: targetNameSchema,
  package: z.string(),
  /** Full version. */
  version: z.string(),
  /** What the recipe makes for the target, as the recipe itself says; `tested`: it has a test, which has to have passed. */
  makes: z.array(z.strictObject({ name: z.string(), tested: z.boolean(), claims: claimsSchema.optional() })),
  /** Digest of the build request that the builder was given. */
  request: z.string().optional(),
  /** Stamp of the packages as the conductor recorded them; what a builder leaves under the same key later is not judged for them. */
  artifacts: z.string().optional(),
  /** The second build that it is compared with, and what a difference comes to. */
  rebuild: z
    .strictObject({ buildKey: z.string(), attempt: z.number().int(), difference: differencePolicySchema })
    .optional(),
});

/** Builds that are to be judged together: all of one proposal, or those on main that need each other. */
export const verifyRequestSchema = z.strictObject({
  kind: z.literal('verify'),
  /** 0; when they are judged again because the repository has changed since they were refused, its generation. */
  generation: z.number().int(),
  purpose: purposeSchema,
  /** Origins, for people. */
  packages: z.array(z.string()),
  builds: z.array(judgedBuildSchema),
  /** Builds that appear together with those, and have a verdict already. */
  beside: z.array(judgedBuildSchema).optional(),
  /** Version of the set of gates that is to judge. */
  gateSet: z.number().int().optional(),
  /** Known vulnerabilities of the packages as published now, and as they would be. */
  findings: z.strictObject({ before: z.array(findingSchema), after: z.array(findingSchema) }),
});

/** One transaction: packages that appear together, on all targets at once. */
export const publishRequestSchema = z.strictObject({
  kind: z.literal('publish'),
  add: z.array(
    z.strictObject({
      key: z.string(),
      artifact: artifactSchema,
      /** Digest of the build request that it was built by. */
      request: z.string().optional(),
    }),
  ),
  /** One for each build that they are of: the publisher believes those that it signed, and publishes nothing without one. */
  verdicts: z.array(verdictSchema).optional(),
});

/** An image to assemble and run: what its definition says, with every package pinned. */
export const imageRequestSchema = z.strictObject({
  kind: z.literal('image'),
  name: z.string(),
  tag: z.string(),
  definition: z.strictObject({ path: z.string(), text: z.string() }),
  platforms: z.array(
    z.strictObject({ target: targetNameSchema, packages: z.array(lockedPackageSchema.extend({ origin: z.string() })) }),
  ),
  /** What puts it together; absent: regrow's own assembler. */
  engine: z.enum(imageEngines).optional(),
  /** Seconds since 1970: the newest build date of its packages. */
  sourceDateEpoch: z.number().int(),
  /** Name and PEM of the keys that machines made from it trust. */
  keys: z.array(z.strictObject({ name: z.string(), pem: z.string() })),
});

/** An image that was built and ran, to be tagged. */
export const imagePublishRequestSchema = z.strictObject({
  kind: z.literal('image-publish'),
  /** Key of the image request, and of its result. */
  image: z.string(),
  result: z.string(),
  vulnerabilities: z.array(z.string()),
});

/** An image that was built and ran, to be signed by an identity. */
export const imageSignRequestSchema = z.strictObject({
  kind: z.literal('image-sign'),
  /** Key of the image request, and of its result. */
  image: z.string(),
  result: z.string(),
});

/** A published image to bring to a registry. */
export const imagePushRequestSchema = z.strictObject({
  kind: z.literal('image-push'),
  /** `NAME:TAG` */
  ref: z.string(),
  /** Of the index, `sha256:HEX`. */
  digest: z.string(),
  /** When it was published: an image that is published a second time is pushed a second time. */
  at: z.iso.datetime(),
  /** `https://HOST[:PORT]` */
  registry: z.string(),
  repository: z.string(),
  tag: z.string(),
  /** sha256, hex, of what is attached to its index: signed anew, it is pushed a second time. */
  attached: z.string().optional(),
});

/** What the ledger still needs of the object store; whatever nothing else uses either may go. */
export const collectRequestSchema = z.strictObject({
  kind: z.literal('collect'),
  /** When it was asked: no two are the same. */
  at: z.iso.datetime(),
  /** Only look. */
  dry: z.boolean(),
  /** Build keys of what is planned or runs, the digests of what those are built from, and build keys whose logs are shown. */
  builds: z.array(z.string()),
  inputs: z.array(z.string()),
  logs: z.array(z.string()),
});

/** Sources that are asked together. */
export const watchRequestSchema = z.strictObject({
  kind: z.literal('watch'),
  /** Of the schedule, or the second of a poke: the same sources are asked again in another slot only. */
  slot: z.number().int(),
  /** Somebody waits for the answers. */
  urgent: z.boolean(),
  sources: z.array(
    z.strictObject({
      source: z.string(),
      /** What the last answer gave to compare by. */
      cursor: z.string().optional(),
      watchers: z.array(watcherSchema),
    }),
  ),
});

export const requestSchema = z.discriminatedUnion('kind', [
  verifyRequestSchema,
  publishRequestSchema,
  imageRequestSchema,
  imagePublishRequestSchema,
  imageSignRequestSchema,
  imagePushRequestSchema,
  collectRequestSchema,
  watchRequestSchema,
]);

export type VerifyRequest = z.infer<typeof verifyRequestSchema>;
export type PublishRequest = z.infer<typeof publishRequestSchema>;
export type ImageRequest = z.infer<typeof imageRequestSchema>;
export type ImagePublishRequest = z.infer<typeof imagePublishRequestSchema>;
export type ImageSignRequest = z.infer<typeof imageSignRequestSchema>;
export type ImagePushRequest = z.infer<typeof imagePushRequestSchema>;
export type CollectRequest = z.infer<typeof collectRequestSchema>;
export type WatchRequest = z.infer<typeof watchRequestSchema>;
export type Request = z.infer<typeof requestSchema>;
