import semver from 'semver';
import { z } from 'zod';
import { listOf, readJson } from '../document.ts';
import { identifierOf, latestFirst, pollDocument, publishedAt } from '../observe.ts';
import type { ReleaseSource } from '../source.ts';

const registry = 'https://hex.pm/api/packages';
const nameForm = /^[a-z][a-z0-9_]*$/;

const packageSchema = z.object({
  releases: listOf(z.object({ version: z.string(), inserted_at: z.unknown().optional() })),
  retirements: z.record(z.string(), z.unknown()).nullish(),
});

/**
 * A package of Hex (github.com/hexpm/specifications, API). Versions are semantic ones; retired ones are withdrawn. Keys: `hex:NAME`.
 */
export const hexSource: ReleaseSource = {
  kind: 'hex',
  key: () => undefined,
  annotated: (identifier) => (nameForm.test(identifier) ? `hex:${identifier}` : undefined),

  inferred(address) {
    const [, name] = /^https:\/\/repo\.hex\.pm\/tarballs\/([a-z][a-z0-9_]*)-[^/]+\.tar$/.exec(address) ?? [];
    return name === undefined ? undefined : `hex:${name}`;
  },

  poll(request, ports) {
    const url = `${registry}/${identifierOf(request.source)}`;
    return pollDocument(request, ports, { url, accept: 'application/json' }, (document) => {
      const { releases, retirements } = readJson(document, packageSchema);
      const tags = releases.flatMap(({ version: tag, inserted_at: date }) => {
        const version = semver.parse(tag);
        if (version === null || Object.hasOwn(retirements ?? {}, tag)) return [];
        return [{ tag, prerelease: version.prerelease.length > 0, ...publishedAt(date) }];
      });
      return latestFirst(tags);
    });
  },
};
