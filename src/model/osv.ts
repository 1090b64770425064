import { z } from 'zod';

/** OSV schema 1.7 (ossf.github.io/osv-schema), the parts that matching reads. Unknown keys are dropped: feeds are others' format. */
const osvEventSchema = z.object({
  introduced: z.string().optional(),
  fixed: z.string().optional(),
  last_affected: z.string().optional(),
  limit: z.string().optional(),
});

export const osvSchema = z.object({
  id: z.string(),
  modified: z.string(),
  published: z.string().optional(),
  withdrawn: z.string().optional(),
  aliases: z.array(z.string()).default([]),
  summary: z.string().optional(),
  affected: z
    .array(
      z.object({
        package: z.object({ ecosystem: z.string(), name: z.string(), purl: z.string().optional() }).optional(),
        ranges: z
          .array(z.object({ type: z.string(), repo: z.string().optional(), events: z.array(osvEventSchema) }))
          .default([]),
        versions: z.array(z.string()).default([]),
      }),
    )
    .default([]),
});

export type OsvEvent = z.infer<typeof osvEventSchema>;
export type Osv = z.infer<typeof osvSchema>;
