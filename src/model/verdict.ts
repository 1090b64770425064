import { z } from 'zod';
import type { ErrorCode } from '../errors.ts';
import { differenceSchema } from './difference.ts';
import { targetNameSchema } from './target.ts';

/** What one gate says of one build. */
export const gateResultSchema = z.strictObject({
  gate: z.string(),
  outcome: z.enum(['passed', 'failed', 'waived']),
  because: z.string(),
  /** In what two builds differ: the first ones, as many as a message has room for. */
  differences: z.array(differenceSchema).optional(),
});

/** What a build that gives other bytes the second time comes to: it is held, or told of. */
export const differencePolicySchema = z.enum(['fail', 'report']);

/** All gates over the artifacts of one build. Key: build key + gate-set version. */
export const verdictSchema = z.strictObject({
  buildKey: z.string(),
  package: z.string(),
  version: z.string(),
  gateSet: z.number().int(),
  passed: z.boolean(),
  gates: z.array(gateResultSchema),
  at: z.iso.datetime(),
  /** Digest of the ids of the known vulnerabilities of the package, before and after, that it was judged with. */
  findings: z.string().optional(),
  /** Stamp of the packages that were judged: it holds for no others, even of the same build key. */
  artifacts: z.string().optional(),
  /** There where it was judged beside a second build: what a difference comes to. */
  rebuild: differencePolicySchema.optional(),
  target: targetNameSchema.optional(),
  /** Digest of the build request that the builder was given. */
  request: z.string().optional(),
  /** Signature of the publisher that had it judged, over all the rest: base64. Without, it counts for nothing. */
  seal: z.base64().optional(),
});

/** The code of a build that its gates hold. */
export const gateFailed = 'verify.gate-failed' satisfies ErrorCode;
/** The code of a build that is not published because no publisher stands for its verdict. */
export const unproven = 'verify.verdict-unproven' satisfies ErrorCode;

export type DifferencePolicy = z.infer<typeof differencePolicySchema>;
export type GateResult = z.infer<typeof gateResultSchema>;
export type Verdict = z.infer<typeof verdictSchema>;
