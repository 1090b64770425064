import { createHash } from 'node:crypto';
import {
  commitId,
  type FakeRelease,
  type FakeTag,
  type LightRepository,
} from '../../test/fakes/github-graphql/state.ts';
import { isNewer, neighbours, versionsFrom, type WatchingPackage } from './package.ts';

/** Milliseconds since 1970 of the newest tag; every other is an hour older than the one before it. */
const newest = Date.UTC(2026, 7, 22);
const hour = 3_600_000;
const preRelease = /(?:alpha|beta|rc)\.?\d+$/;

/** A number below `below` that follows from a name. */
function chance(name: string, below: number): number {
  return createHash('sha256').update(name).digest().readUInt32BE() % below;
}

/**
 * A repository as its packages' recipes let one think that it is: their versions, older ones, pre-releases, tags of other parts
 * of a monorepo and of other streams, so that filters, strips and patterns have work to do. No tag in it is an update.
 */
export function makeRepository(fullName: string, packages: readonly WatchingPackage[]): LightRepository {
  const [owner = '', name = ''] = fullName.split('/');
  const current = [...new Set(packages.flatMap(({ tag }) => (tag === undefined ? [] : [tag])))];
  const others = current.flatMap((tag) => [...otherStreams(tag, packages), ...preReleases(tag)]);
  const names = [...otherParts(fullName), ...others, ...current, ...current.flatMap(olderTags), ...ancient(fullName)];
  const isUpdate = updatesOf(packages, names);
  const kept = [...new Set(names)].filter((tag) => current.includes(tag) || !isUpdate.has(tag));
  const tags = kept.map((tag, index) => tagOf(tag, newest - index * hour));
  return { owner, name, tags, releases: tags.map(releaseOf) };
}

export function tagOf(name: string, at: number): FakeTag {
  const committedAt = new Date(at).toISOString();
  const commit = commitId(name);
  return chance(name, 2) === 0 ? { name, commit, committedAt } : { name, commit, committedAt, taggedAt: committedAt };
}

export function releaseOf({ name, committedAt }: FakeTag): FakeRelease {
  return { tag: name, publishedAt: committedAt, prerelease: preRelease.test(name) };
}

/** The tags that would be an update of some package. */
function updatesOf(packages: readonly WatchingPackage[], names: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const one of packages) {
    const tags = names.map((tag) => ({ tag, prerelease: preRelease.test(tag) }));
    for (const { tag } of versionsFrom(one.source, one.watcher, tags)) if (isNewer(one, tag.tag)) found.add(tag.tag);
  }
  return found;
}

/** One repository in forty holds other things too, which are released more often. */
function otherParts(fullName: string): string[] {
  if (chance(fullName, 40) !== 0) return [];
  const parts = ['docs-site', 'sdk-go', 'charts/main', 'web_ui'];
  return Array.from({ length: 60 + chance(`${fullName} parts`, 640) }, (_, index) => {
    return `${parts[index % parts.length]}/v0.${1000 - index}.0`;
  });
}

/** What a filter for one stream keeps out: the streams after it. */
function otherStreams(tag: string, packages: readonly WatchingPackage[]): string[] {
  const filters = packages.flatMap(
    ({
      watcher: {
        update: { github },
      },
    }) => github?.['tag-filter-prefix'] ?? github?.['tag-filter'] ?? [],
  );
  const filter = filters.find((prefix) => /\d/.test(prefix) && tag.startsWith(prefix));
  if (filter === undefined) return [];
  return [2, 1].flatMap((by) => {
    const [stream] = neighbours(filter, by);
    if (stream === undefined) return [];
    return Array.from({ length: 5 + chance(tag, 60) }, (_, index) =>
      `${stream}${tag.slice(filter.length)}`.replace(/\d+$/, `${80 - index}`),
    );
  });
}

function preReleases(tag: string): string[] {
  const next = neighbours(tag, 1).at(0);
  return next === undefined ? [] : ['rc2', 'rc1', 'beta.1', 'alpha1'].map((mark) => `${next}-${mark}`);
}

function olderTags(tag: string): string[] {
  const count = 10 + chance(`${tag} older`, 90);
  return Array.from({ length: count }, (_, index) => neighbours(tag, -1 - index))
    .flat()
    .slice(0, count);
}

/** Two repositories have twenty thousand tags of long ago. */
function ancient(fullName: string): string[] {
  if (chance(fullName, 900) !== 0) return [];
  return Array.from({ length: 20_000 }, (_, index) => `nightly-${20_000 - index}`);
}
