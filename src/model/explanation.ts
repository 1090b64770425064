import { z } from 'zod';
import { evidenceSchema, holdReasons } from './decision.ts';
import { targetNameSchema } from './target.ts';

/**
 * Where a package stands as a whole. `moving`: an update is on its way. `waiting`: only a person can move it on. `unwatched`: its
 * recipe wants no updates.
 */
export const packageStateSchema = z.enum([
  'current',
  'unwatched',
  'behind',
  'moving',
  'waiting',
  'held',
  'failing',
  'unknown',
]);

/** The one thing that stands between a package and where it should be. */
export const blockerKindSchema = z.enum([
  'nothing',
  'recipe-invalid',
  'problem',
  ...holdReasons,
  'not-proposed-yet',
  'not-planned-yet',
  'waiting-for-dependency',
  'dependency-failed',
  'environment-unsatisfiable',
  'build-refused',
  'queued',
  'building',
  'build-failed',
  'verifying',
  'gate-failed',
  'waiting-for-merge',
  'not-published-yet',
  /** Main asks for less than is published. */
  'version-lowered',
  /** A person took the version that main asks for out of the repository. */
  'withdrawn',
  /** The recipe says something else than what is published under its version. */
  'epoch-not-raised',
]);

/** One build as a row of a list. */
export const buildSummarySchema = z.strictObject({
  key: z.string(),
  attempt: z.number().int(),
  package: z.string(),
  version: z.string(),
  target: targetNameSchema,
  state: z.enum(['waiting', 'running', 'passed', 'failed', 'verified', 'refused']),
  position: z.number().int().optional(),
  why: z.string(),
  urgency: z.enum(['security', 'normal', 'low']),
  queuedAt: z.string(),
  finishedAt: z.string().optional(),
  milliseconds: z.number().optional(),
});

const vulnerabilitySchema = z.strictObject({
  advisory: z.string(),
  aliases: z.array(z.string()),
  component: z.string(),
  version: z.string(),
  fixedIn: z.array(z.string()),
  summary: z.string().optional(),
  /** How it goes away, one sentence. */
  remedy: z.string(),
});

const blockerSchema = z.strictObject({
  kind: blockerKindSchema,
  text: z.string(),
  /** Of the error that it is, where it is one. */
  code: z.string().optional(),
  since: z.string().optional(),
  until: z.string().optional(),
  proposal: z.number().int().optional(),
  buildKey: z.string().optional(),
  /** The last lines of the log, where a build failed. Untrusted text. */
  tail: z.array(z.string()),
});

/** One answer to "why is this package where it is?". */
export const explanationSchema = z.strictObject({
  package: z.string(),
  at: z.string(),
  state: packageStateSchema,
  /** One sentence. */
  answer: z.string(),
  blocker: blockerSchema,
  versions: z.strictObject({
    git: z.string().optional(),
    upstream: z.strictObject({ version: z.string(), source: z.string(), at: z.string().optional() }).optional(),
    proposal: z.strictObject({ version: z.string(), number: z.number().int(), url: z.string() }).optional(),
    published: z.array(
      z.strictObject({ target: targetNameSchema, version: z.string(), packages: z.array(z.string()) }),
    ),
  }),
  evidence: z.array(evidenceSchema),
  next: z.strictObject({ text: z.string(), at: z.string().optional() }),
  /** What the reader can do, one sentence each; empty where nothing is needed. */
  actions: z.array(z.string()),
  vulnerabilities: z.array(vulnerabilitySchema),
  builds: z.array(buildSummarySchema),
});

export type PackageState = z.infer<typeof packageStateSchema>;
export type BlockerKind = z.infer<typeof blockerKindSchema>;
export type BuildSummary = z.infer<typeof buildSummarySchema>;
export type Vulnerability = z.infer<typeof vulnerabilitySchema>;
export type Blocker = z.infer<typeof blockerSchema>;
export type Explanation = z.infer<typeof explanationSchema>;
