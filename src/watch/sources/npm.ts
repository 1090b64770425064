import semver from 'semver';
import { z } from 'zod';
import { RegrowError } from '../../errors.ts';
import type { UpstreamTag } from '../../model/observation.ts';
import { answerInvalid, entriesOf, readJson, type UpstreamDocument } from '../document.ts';
import { identifierOf, latestFirst, pollDocument, publishedAt } from '../observe.ts';
import type { ReleaseSource } from '../source.ts';

const registry = 'https://registry.npmjs.org';
/** Only the full document has dates; that of a package with thousands of versions is large. */
const limit = 64 * 1024 * 1024;
const nameForm = /^(?:@[a-z0-9~][\w.~-]*\/)?[a-zA-Z0-9~][\w.~-]*$/;

const packageSchema = z.object({
  versions: entriesOf(z.object({ deprecated: z.unknown().optional() })).optional(),
  time: z.record(z.string(), z.unknown()).default({}),
});

/** A package of the npm registry (github.com/npm/registry, package metadata). Keys: `npm:NAME`, `npm:@SCOPE/NAME`. */
export const npmSource: ReleaseSource = {
  kind: 'npm',
  key: () => undefined,
  annotated: (identifier) => (nameForm.test(identifier) ? `npm:${identifier}` : undefined),

  inferred(address) {
    const [, name = ''] = /^https:\/\/registry\.npmjs\.org\/((?:@[^/]+\/)?[^/]+)\/-\/[^/]+$/.exec(address) ?? [];
    return nameForm.test(name) ? `npm:${name}` : undefined;
  },

  poll(request, ports) {
    const url = `${registry}/${identifierOf(request.source).replace('/', '%2f')}`;
    return pollDocument(request, ports, { url, accept: 'application/json', limit }, tagsOf);
  },
};

/** Deprecating is how a version is withdrawn that others may use already. */
function tagsOf(document: UpstreamDocument): UpstreamTag[] {
  const { versions, time } = readJson(document, packageSchema);
  if (versions === undefined) throw withoutVersions(document.url, Object.hasOwn(time, 'unpublished'));
  const tags = versions.flatMap(([tag, { deprecated }]) => {
    const version = semver.parse(tag);
    if (version === null || (deprecated !== undefined && deprecated !== false && deprecated !== '')) return [];
    return [{ tag, prerelease: version.prerelease.length > 0, ...publishedAt(time[tag]) }];
  });
  return latestFirst(tags);
}

function withoutVersions(url: string, unpublished: boolean): RegrowError {
  if (!unpublished) return answerInvalid(url, 'has no versions');
  return new RegrowError('upstream.not-found', `${url} was unpublished`, {
    remedy: 'see whether upstream moved, and name the new place in the recipe',
  });
}
