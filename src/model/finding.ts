import { z } from 'zod';

/** A known vulnerability that a package at a version has. Key: `advisory/package`. */
export const findingSchema = z.strictObject({
  advisory: z.string(),
  aliases: z.array(z.string()),
  package: z.string(),
  /** The version it was found in, without epoch. */
  version: z.string(),
  /** What matched: a purl. */
  component: z.string(),
  /** The versions that fix it, per the advisory, lowest first; empty where none does. */
  fixedIn: z.array(z.string()),
  summary: z.string().optional(),
});

export type Finding = z.infer<typeof findingSchema>;
