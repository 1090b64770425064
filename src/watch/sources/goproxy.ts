import semver from 'semver';
import { z } from 'zod';
import { toRegrowError } from '../../errors.ts';
import { sha256 } from '../../model/canonical.ts';
import type { UpstreamTag } from '../../model/observation.ts';
import { fetchDocument, readJson, readLines } from '../document.ts';
import { retractedBy } from '../go-retract.ts';
import { answerOf, identifierOf, publishedAt } from '../observe.ts';
import type { PollRequest, ReleaseSource, WatchPorts } from '../source.ts';

const proxy = 'https://proxy.golang.org';
const pathForm = /^[a-zA-Z0-9][\w.~-]*(?:\/[\w.~-]+)*$/;
/** go.dev/ref/mod#pseudo-versions: a time and a commit instead of a release. */
const pseudoVersion = /[-.]\d{14}-[0-9a-f]{12}(?:\+incompatible)?$/;

const infoSchema = z.object({
  Time: z.string().optional(),
  Origin: z.object({ Hash: z.string().optional() }).optional(),
});

/**
 * A module of the Go module proxy (go.dev/ref/mod#goproxy-protocol). It lists tags; of the latest one it says date and commit.
 * A version is withdrawn that the go.mod of the highest one retracts, which may be one that retracts itself
 * (go.dev/ref/mod#go-mod-file-retract). Keys: `goproxy:MODULE`.
 */
export const goproxySource: ReleaseSource = {
  kind: 'goproxy',
  key: () => undefined,
  annotated: keyOf,

  inferred(address) {
    const [, path = ''] = /^https:\/\/proxy\.golang\.org\/(.+)\/@v\/[^/]+\.zip$/.exec(address) ?? [];
    return /[A-Z]/.test(path)
      ? undefined
      : keyOf(path.replaceAll(/!([a-z])/g, (_, letter: string) => letter.toUpperCase()));
  },

  async poll(request, ports) {
    const { signal } = request;
    const base = `${proxy}/${escapePath(identifierOf(request.source))}`;
    const list = await fetchDocument(ports.http, { url: `${base}/@v/list`, signal });
    // The list alone says whether there is something new.
    const cursor = list === 'unchanged' ? '' : sha256(list.text);
    if (list === 'unchanged' || cursor === request.cursor) return { kind: 'unchanged' };
    const versions = readLines(list, versionOf).toSorted(semver.rcompare);
    const kept = await withoutRetracted(base, versions, request, ports);
    return answerOf(request, ports, { tags: await withLatest(base, kept, request, ports), etag: cursor });
  },
};

function keyOf(path: string): string | undefined {
  return pathForm.test(path) && !/(?:^|\/)\.+(?:\/|$)/.test(path) ? `goproxy:${path}` : undefined;
}

/** Servers may not tell upper from lower case (go.dev/ref/mod#goproxy-protocol). */
function escapePath(path: string): string {
  return path.replaceAll(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`);
}

function versionOf(line: string): string | undefined {
  return /^v\d/.test(line) && !pseudoVersion.test(line) && semver.valid(line) !== null ? line : undefined;
}

/** `+incompatible` is Go's remark on a tag, no part of it. */
function tagOf(version: string): UpstreamTag {
  return { tag: version.replace(/\+incompatible$/, ''), prerelease: semver.prerelease(version) !== null };
}

/** What Go takes for the latest: the highest release, else the highest of all. Of versions with the highest first. */
function latestOf(versions: readonly string[]): string | undefined {
  return versions.find((version) => semver.prerelease(version) === null) ?? versions[0];
}

async function withoutRetracted(
  base: string,
  versions: readonly string[],
  { signal }: PollRequest,
  { http }: WatchPorts,
): Promise<readonly string[]> {
  const latest = latestOf(versions);
  if (latest === undefined) return versions;
  const goMod = await orAbsent(fetchDocument(http, { url: `${base}/@v/${escapePath(latest)}.mod`, signal }));
  if (goMod === undefined || goMod === 'unchanged') return versions;
  const isRetracted = retractedBy(goMod.text);
  return versions.filter((version) => !isRetracted(version));
}

/** With what the proxy knows of the latest one. */
async function withLatest(
  base: string,
  versions: readonly string[],
  { signal }: PollRequest,
  { http }: WatchPorts,
): Promise<readonly UpstreamTag[]> {
  const tags = versions.map(tagOf);
  const latest = latestOf(versions);
  if (latest === undefined) return tags;
  const info = await orAbsent(fetchDocument(http, { url: `${base}/@v/${escapePath(latest)}.info`, signal }));
  if (info === undefined || info === 'unchanged') return tags;
  const { Time: time, Origin: origin } = readJson(info, infoSchema);
  const commit = origin?.Hash === undefined ? {} : { commit: origin.Hash };
  return tags.map((tag, index) => (versions[index] === latest ? { ...tag, ...publishedAt(time), ...commit } : tag));
}

async function orAbsent<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (thrown) {
    if (toRegrowError(thrown).code === 'upstream.not-found') return undefined;
    throw thrown;
  }
}
