import { z } from 'zod';
import { listOf, readJson } from '../document.ts';
import { identifierOf, latestFirst, pollDocument, publishedAt } from '../observe.ts';
import type { ReleaseSource } from '../source.ts';

const api = 'https://fastapi.metacpan.org/v1/release/versions';
const nameForm = /^[A-Za-z][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*$/;
/** An archive below an author's folder; a distribution's version has no dash in it. */
const addressForm =
  /^https?:\/\/(?:(?:www\.)?cpan\.org|cpan\.metacpan\.org|search\.cpan\.org\/CPAN)\/authors\/id\/[A-Z]\/[A-Z]{2}\/[A-Z0-9-]+\/(?:[^/]+\/)*([\w-]+)-v?(?:\d[\w.]*|\$\{\{[^{}]+\}\})(?:-TRIAL\d*)?\.(?:tar\.gz|tgz|tar\.bz2|zip)$/;

const releaseSchema = z.object({
  name: z.string(),
  version: z.union([z.string(), z.number()]).transform(String),
  date: z.string().optional(),
  /** `latest`, `cpan`, or `backpan`: taken away by its author. */
  status: z.string(),
  /** `released` or `developer`. */
  maturity: z.string().optional(),
  /** Whether the author may release this distribution (PAUSE permissions). */
  authorized: z.unknown().optional(),
});

/**
 * A distribution of CPAN, by MetaCPAN's list of its versions (github.com/metacpan/metacpan-api, /release/versions). A version is what
 * stands in the name of the archive: Perl numifies it elsewhere. Keys: `cpan:DISTRIBUTION`.
 */
export const cpanSource: ReleaseSource = {
  kind: 'cpan',
  key: () => undefined,
  annotated: (identifier) => (nameForm.test(identifier) ? `cpan:${identifier}` : undefined),

  inferred(address) {
    const [, name = ''] = addressForm.exec(address) ?? [];
    return nameForm.test(name) ? `cpan:${name}` : undefined;
  },

  poll(request, ports) {
    const distribution = identifierOf(request.source);
    const url = `${api}/${distribution}`;
    return pollDocument(request, ports, { url, accept: 'application/json' }, (document) => {
      const { releases } = readJson(document, z.object({ releases: listOf(releaseSchema) }));
      const tags = releases.flatMap(({ name, version, date, status, maturity, authorized }) => {
        if (status === 'backpan' || authorized === false) return [];
        const tag = name.startsWith(`${distribution}-`) ? name.slice(distribution.length + 1) : version;
        return [{ tag, prerelease: maturity === 'developer', ...publishedAt(inUtc(date)) }];
      });
      return latestFirst(tags);
    });
  },
};

/** MetaCPAN leaves the zone out, which is UTC. */
function inUtc(date: string | undefined): string | undefined {
  return date !== undefined && /T[\d:.]+$/.test(date) ? `${date}Z` : date;
}
