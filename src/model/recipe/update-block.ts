import { z } from 'zod';
import { flag, list, optional, text, texts } from './fields.ts';

const strip = { 'strip-prefix': optional(text), 'strip-suffix': optional(text) };
const tagFilter = { 'tag-filter-prefix': optional(text), 'tag-filter-contains': optional(text) };

/** How a recipe's `update:` block says where new versions are seen, and how they become apk versions (melange `pkg/config`). */
export const updateBlockSchema = z.looseObject({
  /** Left out means false. */
  enabled: optional(flag),
  /** A person makes the update; regrow only says that there is one. */
  manual: optional(flag),
  'exclude-reason': optional(text),
  /** The packages that depend on this one have to be rebuilt with it. */
  shared: optional(flag),
  'require-sequential': optional(flag),
  'enable-prerelease-tags': optional(flag),
  'ignore-regex-patterns': texts,
  'version-separator': optional(text),
  'version-transform': list(
    z.looseObject({ match: text, replace: optional(text).transform((replace) => replace ?? '') }),
  ),
  schedule: optional(z.looseObject({ period: z.enum(['daily', 'weekly', 'monthly']), reason: optional(text) })),
  github: optional(
    z.looseObject({
      /** `OWNER/REPOSITORY` */
      identifier: text,
      /** Tags instead of releases. */
      'use-tag': optional(flag),
      ...strip,
      /** Older name of tag-filter-prefix. */
      'tag-filter': optional(text),
      ...tagFilter,
    }),
  ),
  git: optional(z.looseObject({ ...strip, ...tagFilter })),
  'release-monitor': optional(
    z.looseObject({
      /** Number of a project at release-monitoring.org. */
      identifier: text,
      ...strip,
      'version-filter-prefix': optional(text),
      'version-filter-contains': optional(text),
    }),
  ),
  oci: optional(z.looseObject({ identifier: text, ...strip, ...tagFilter })),
  'version-data': optional(z.looseObject({})),
});

export type UpdateBlock = z.infer<typeof updateBlockSchema>;
