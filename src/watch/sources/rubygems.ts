import { z } from 'zod';
import type { UpstreamTag } from '../../model/observation.ts';
import { listOf, readJson, type UpstreamDocument } from '../document.ts';
import { identifierOf, latestFirst, pollDocument, publishedAt } from '../observe.ts';
import type { ReleaseSource } from '../source.ts';

const registry = 'https://rubygems.org';
const limit = 64 * 1024 * 1024;

const versionsSchema = listOf(
  z.object({
    number: z.string(),
    platform: z.string().default('ruby'),
    prerelease: z.boolean().default(false),
    created_at: z.string().optional(),
  }),
);

/** A gem of RubyGems (guides.rubygems.org/rubygems-org-api). Keys: `rubygems:NAME`. */
export const rubygemsSource: ReleaseSource = {
  kind: 'rubygems',
  key: () => undefined,
  annotated: keyOf,

  inferred(address) {
    // Names may hold hyphens and digits, so the name ends where the version of the recipe is put in, or at a version.
    const [, name = ''] =
      /^https:\/\/rubygems\.org\/(?:downloads|gems)\/([\w.-]+?)-(?:\$\{\{package\.version\}\}|\d[\w.]*)\.gem$/.exec(
        address,
      ) ?? [];
    return keyOf(name);
  },

  poll(request, ports) {
    const url = `${registry}/api/v1/versions/${identifierOf(request.source)}.json`;
    return pollDocument(request, ports, { url, accept: 'application/json', limit }, tagsOf);
  },
};

function keyOf(name: string): string | undefined {
  return /^\w(?:[\w.-]*\w)?$/.test(name) ? `rubygems:${name}` : undefined;
}

/** Yanked versions are not listed. Of gems that are built for a platform already, there is nothing to build. */
function tagsOf(document: UpstreamDocument): UpstreamTag[] {
  const versions = readJson(document, versionsSchema).filter(({ platform }) => platform === 'ruby');
  return latestFirst(
    versions.map(({ number, prerelease, created_at: at }) => ({ tag: number, prerelease, ...publishedAt(at) })),
  );
}
