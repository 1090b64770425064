import semver from 'semver';
import { z } from 'zod';
import type { UpstreamTag } from '../../model/observation.ts';
import { readLines, type UpstreamDocument } from '../document.ts';
import { identifierOf, pollDocument, publishedAt } from '../observe.ts';
import type { ReleaseSource } from '../source.ts';

const index = 'https://index.crates.io';
const nameForm = /^[a-z][\w-]{0,63}$/i;

const lineSchema = z.object({ vers: z.string(), yanked: z.boolean().default(false), pubtime: z.unknown().optional() });

/**
 * A crate of crates.io, by its sparse index (doc.rust-lang.org/cargo/reference/registry-index.html), which has no rate limit, as the
 * API has. Keys: `crates:NAME`.
 */
export const cratesSource: ReleaseSource = {
  kind: 'crates',
  key: () => undefined,
  annotated: keyOf,

  inferred(address) {
    const [, name = ''] =
      /^https:\/\/crates\.io\/api\/v1\/crates\/([^/]+)\/[^/]+\/download$/.exec(address) ??
      /^https:\/\/static\.crates\.io\/crates\/([^/]+)\/[^/]+$/.exec(address) ??
      [];
    return keyOf(name);
  },

  poll(request, ports) {
    return pollDocument(request, ports, { url: `${index}/${pathOf(identifierOf(request.source))}` }, tagsOf);
  },
};

function keyOf(name: string): string | undefined {
  return nameForm.test(name) ? `crates:${name.toLowerCase()}` : undefined;
}

/** Crates are in folders by their first letters: `1/a`, `2/ab`, `3/a/abc`, `ab/cd/abcde`. */
function pathOf(name: string): string {
  if (name.length < 3) return `${name.length}/${name}`;
  return name.length === 3 ? `3/${name[0]}/${name}` : `${name.slice(0, 2)}/${name.slice(2, 4)}/${name}`;
}

function tagsOf(document: UpstreamDocument): UpstreamTag[] {
  const versions = readLines(document, (line) => {
    const { data } = lineSchema.safeParse(jsonOf(line));
    const version = semver.parse(data?.vers);
    return data === undefined || version === null ? undefined : { ...data, version };
  });
  return versions
    .filter(({ yanked }) => !yanked)
    .toSorted((a, b) => semver.rcompare(a.version, b.version))
    .map(({ vers, version, pubtime }) => ({
      tag: vers,
      prerelease: version.prerelease.length > 0,
      ...publishedAt(pubtime),
    }));
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
