import { z } from 'zod';

/** OSV schema 1.7 (ossf.github.io/osv-schema), the parts that matching reads. Unknown keys are dropped: feeds are others' format. */
const osvEventSchema = z.object({
  introduced: z.string().optional(),
  fixed: z.string().optional(),
  last_affected: z.string().optional(),
  limit: z.string().optional(),
});

/**
 * `custom_ranges` stand where Go's module versions and the project's releases differ: the SEMVER range beside them is then
 * often without an end. `goos` limits an import to operating systems.
 */
const goSpecificSchema = z.object({
  custom_ranges: z.array(z.object({ type: z.string(), events: z.array(osvEventSchema) })).default([]),
  imports: z.array(z.object({ goos: z.array(z.string()).default([]) })).default([]),
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
        /** What the Go vulnerability database adds (vuln.go.dev schema). Anything else here is dropped. */
        ecosystem_specific: goSpecificSchema.optional().catch(undefined),
      }),
    )
    .default([]),
});

export type OsvEvent = z.infer<typeof osvEventSchema>;
export type Osv = z.infer<typeof osvSchema>;
