import { z } from 'zod';

/** What one gate says of one build. */
export const gateResultSchema = z.strictObject({
  gate: z.string(),
  outcome: z.enum(['passed', 'failed', 'waived']),
  because: z.string(),
});

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
});

export type GateResult = z.infer<typeof gateResultSchema>;
export type Verdict = z.infer<typeof verdictSchema>;
