import { z } from 'zod';
import { amountSchema } from './collection.ts';
import { buildSummarySchema, packageStateSchema } from './explanation.ts';
import { queueCountsSchema } from './queue.ts';
import { targetNameSchema } from './target.ts';

/** One package in a list: where it is, and the short reason. */
export const packageRowSchema = z.strictObject({
  package: z.string(),
  state: packageStateSchema,
  git: z.string().optional(),
  upstream: z.string().optional(),
  /** Versions that are published, once each; more than one where targets differ. */
  published: z.array(z.string()),
  proposal: z.number().int().optional(),
  vulnerabilities: z.number().int(),
  /** One sentence. */
  text: z.string(),
});

export const proposalRowSchema = z.strictObject({
  number: z.number().int(),
  package: z.string(),
  version: z.string(),
  title: z.string(),
  url: z.string(),
  state: z.enum(['open', 'merged', 'closed']),
  openedAt: z.string(),
  fixes: z.array(z.string()),
  packages: z.array(z.string()),
  builds: z.array(buildSummarySchema),
});

/** How fresh one feed or all sources together are. */
const feedRowSchema = z.strictObject({
  name: z.string(),
  records: z.number().int(),
  lastSeen: z.string().optional(),
  failingSince: z.string().optional(),
  message: z.string().optional(),
});

const imageRowSchema = z.strictObject({
  /** `NAME:TAG`; the name alone where no tag of it could be published. */
  ref: z.string(),
  state: z.enum(['current', 'failing']),
  /** What keeps it from being made as it should be. */
  problem: z.string().optional(),
  /** Of what is published. */
  digest: z.string().optional(),
  generation: z.number().int().optional(),
  at: z.string(),
  targets: z.array(targetNameSchema),
  packages: z.number().int(),
  vulnerabilities: z.array(z.string()),
  output: z.string(),
});

/** The state of everything on one page. Times are ISO 8601. */
export const statusSchema = z.strictObject({
  at: z.string(),
  packages: z.strictObject({
    total: z.number().int(),
    states: z.record(packageStateSchema, z.number().int()),
    /** Names of those that are failing, the first ones. */
    failing: z.array(z.string()),
  }),
  vulnerabilities: z.number().int(),
  proposals: z.array(proposalRowSchema),
  queues: z.record(z.string(), queueCountsSchema),
  generation: z
    .strictObject({
      generation: z.number().int(),
      at: z.string(),
      targets: z.array(z.strictObject({ target: targetNameSchema, packages: z.number().int() })),
      added: z.array(z.string()),
      removed: z.array(z.string()),
    })
    .optional(),
  images: z.array(imageRowSchema),
  /** Why packages that are published have no signature by identity yet, where they should. */
  unsigned: z.string().optional(),
  /** The last collection of what nothing uses; absent before the first. `missing`: how many objects are used and not there, 20 at most. */
  collection: z
    .strictObject({ at: z.string(), removed: amountSchema, waiting: amountSchema, missing: z.number().int() })
    .optional(),
  sources: z.strictObject({
    total: z.number().int(),
    /** Sources whose time has come; `dueSince`: of the one that waits longest. */
    due: z.number().int(),
    dueSince: z.string().optional(),
    /** Sources that were asked in the last hour. */
    asked: z.number().int(),
    failing: z.array(z.strictObject({ source: z.string(), since: z.string(), message: z.string() })),
    newest: z.string().optional(),
    oldest: z.string().optional(),
  }),
  feeds: z.array(feedRowSchema),
  /** The dead man's switch: when something last happened, and whether the silence is longer than it should be. */
  quiet: z.strictObject({
    lastEvent: z.string().optional(),
    lastObservation: z.string().optional(),
    lastPublication: z.string().optional(),
    conductor: z.string().optional(),
    alarm: z.boolean(),
    text: z.string(),
  }),
});

export type PackageRow = z.infer<typeof packageRowSchema>;
export type ProposalRow = z.infer<typeof proposalRowSchema>;
export type FeedRow = z.infer<typeof feedRowSchema>;
export type ImageRow = z.infer<typeof imageRowSchema>;
export type Status = z.infer<typeof statusSchema>;
