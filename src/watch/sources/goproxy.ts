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

const latestSchema = z.object({
  Version: z.string(),
  Time: z.string().optional(),
  Origin: z.object({ Hash: z.string().optional() }).optional(),
});

/**
 * A module of the Go module proxy (go.dev/ref/mod#goproxy-protocol). It lists tags; of the latest one it says date and commit. A
 * version that the latest go.mod retracts is withdrawn.
 * Keys: `goproxy:MODULE`.
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
    const tags = readLines(list, tagOf).toSorted((a, b) => semver.rcompare(a.tag, b.tag));
    return answerOf(request, ports, { tags: await withLatest(base, tags, request, ports), etag: cursor });
  },
};

function keyOf(path: string): string | undefined {
  return pathForm.test(path) && !/(?:^|\/)\.+(?:\/|$)/.test(path) ? `goproxy:${path}` : undefined;
}

/** Servers may not tell upper from lower case (go.dev/ref/mod#goproxy-protocol). */
function escapePath(path: string): string {
  return path.replaceAll(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`);
}

/** `+incompatible` is Go's remark on a tag, no part of it. */
function tagOf(line: string): UpstreamTag | undefined {
  const version = /^v\d/.test(line) && !pseudoVersion.test(line) ? semver.parse(line) : null;
  if (version === null) return undefined;
  return { tag: line.replace(/\+incompatible$/, ''), prerelease: version.prerelease.length > 0 };
}

/** With what the proxy knows of the latest one, and without those that its go.mod retracts. */
async function withLatest(
  base: string,
  tags: readonly UpstreamTag[],
  { signal }: PollRequest,
  { http }: WatchPorts,
): Promise<readonly UpstreamTag[]> {
  if (tags.length === 0) return tags;
  const document = await orAbsent(fetchDocument(http, { url: `${base}/@latest`, signal }));
  if (document === undefined || document === 'unchanged') return tags;
  const { Version: version, Time: time, Origin: origin } = readJson(document, latestSchema);
  const latest = tagOf(version);
  if (latest === undefined) return tags;
  const url = `${base}/@v/${escapePath(version)}.mod`;
  const goMod = await orAbsent(fetchDocument(http, { url, signal }));
  const isRetracted = goMod === undefined || goMod === 'unchanged' ? () => false : retractedBy(goMod.text);
  const commit = origin?.Hash === undefined ? {} : { commit: origin.Hash };
  return tags
    .filter(({ tag }) => !isRetracted(tag))
    .map((tag) => (tag.tag === latest.tag ? { ...tag, ...publishedAt(time), ...commit } : tag));
}

async function orAbsent<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (thrown) {
    if (toRegrowError(thrown).code === 'upstream.not-found') return undefined;
    throw thrown;
  }
}
