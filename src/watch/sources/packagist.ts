import { z } from 'zod';
import type { UpstreamTag } from '../../model/observation.ts';
import { answerInvalid, readJson, type UpstreamDocument } from '../document.ts';
import { identifierOf, pollDocument, publishedAt } from '../observe.ts';
import type { ReleaseSource } from '../source.ts';

const repository = 'https://repo.packagist.org';
const nameForm = /^[a-z0-9]+(?:[_.-][a-z0-9]+)*\/[a-z0-9]+(?:(?:[_.]|-{1,2})[a-z0-9]+)*$/;
/** Stands for a field that the version before has and this one has not. */
const unset = '__unset';

const answerSchema = z.object({
  minified: z.literal('composer/2.0').optional(),
  packages: z.record(z.string(), z.array(z.record(z.string(), z.unknown()))),
});
const versionSchema = z.object({
  version: z.string(),
  version_normalized: z.string().optional(),
  time: z.unknown().optional(),
  source: z
    .object({ type: z.literal('git'), reference: z.string() })
    .optional()
    .catch(undefined),
});

/**
 * A package of Packagist, by the list of its tagged versions (getcomposer.org/doc/05-repositories.md, metadata-url), newest first.
 * Keys: `packagist:VENDOR/NAME`.
 */
export const packagistSource: ReleaseSource = {
  kind: 'packagist',
  key: () => undefined,
  annotated: (identifier) => (nameForm.test(identifier) ? `packagist:${identifier}` : undefined),

  poll(request, ports) {
    const name = identifierOf(request.source);
    return pollDocument(request, ports, { url: `${repository}/p2/${name}.json`, accept: 'application/json' }, (page) =>
      tagsOf(page, name),
    );
  },
};

function tagsOf(document: UpstreamDocument, name: string): UpstreamTag[] {
  const { minified, packages } = readJson(document, answerSchema);
  const versions = packages[name];
  if (versions === undefined) throw answerInvalid(document.url, `says nothing of ${name}`);
  const tags = (minified === undefined ? versions : expand(versions)).flatMap(tagOf);
  if (tags.length === 0 && versions.length > 0) throw answerInvalid(document.url, 'has no version that can be read');
  return tags;
}

/** Each version is written as what differs from the one before it (github.com/composer/metadata-minifier). */
function expand(versions: readonly Record<string, unknown>[]): readonly Record<string, unknown>[] {
  const before = new Map<string, unknown>();
  return versions.map((changes) => {
    for (const [field, value] of Object.entries(changes)) {
      if (value === unset) before.delete(field);
      else before.set(field, value);
    }
    return Object.fromEntries(before);
  });
}

/** A version that is written badly is left out, be it the one that the next is told by. */
function tagOf(version: Record<string, unknown>): readonly UpstreamTag[] {
  const parsed = versionSchema.safeParse(version);
  if (!parsed.success) return [];
  const { version: tag, version_normalized: normal = tag, time, source } = parsed.data;
  const commit = /^[0-9a-f]{40,64}$/.test(source?.reference ?? '') ? { commit: source?.reference } : {};
  // The stabilities of Composer below `stable`.
  return [{ tag, prerelease: /-(?:dev|alpha|beta|rc)/i.test(normal), ...publishedAt(time), ...commit }];
}
