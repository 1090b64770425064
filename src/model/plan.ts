import { z } from 'zod';
import { targetNameSchema } from './target.ts';

/** For whom something is built: `main`, or the number of a proposal. */
export const purposeSchema = z.union([z.literal('main'), z.number().int()]);

/** A package that should be built and is not yet being built, and what it waits for. Ledger key: `PURPOSE/PACKAGE/TARGET`. */
export const waitSchema = z.strictObject({
  package: z.string(),
  version: z.string(),
  target: targetNameSchema,
  purpose: purposeSchema,
  reason: z.enum(['dependency-pending', 'dependency-failed', 'environment-unsatisfiable', 'refused', 'transaction']),
  /** One sentence that names what it waits for. */
  because: z.string(),
  /** Origins that it waits for. */
  on: z.array(z.string()),
  /** Of the error, where it cannot be built as it is. */
  code: z.string().optional(),
});

/**
 * Something wrong with one package, recipe, source or image that a person can mend; `signing` is of all that is published, not of one.
 * Ledger key: `AREA/NAME`.
 */
export const problemSchema = z.strictObject({
  area: z.enum(['recipe', 'pipeline', 'source', 'followers', 'image', 'propose', 'publish', 'forge', 'signing']),
  name: z.string(),
  code: z.string(),
  message: z.string(),
  remedy: z.string().optional(),
  file: z.string().optional(),
  line: z.number().optional(),
  field: z.string().optional(),
});

export type Purpose = z.infer<typeof purposeSchema>;
export type Wait = z.infer<typeof waitSchema>;
export type Problem = z.infer<typeof problemSchema>;
