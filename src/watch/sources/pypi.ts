import { parse } from '@renovatebot/pep440';
import { z } from 'zod';
import type { UpstreamTag } from '../../model/observation.ts';
import { entriesOf, readJson, type UpstreamDocument } from '../document.ts';
import { identifierOf, latestFirst, pollDocument, publishedAt } from '../observe.ts';
import type { ReleaseSource } from '../source.ts';

const index = 'https://pypi.org';
/** It names every file of every version. */
const limit = 64 * 1024 * 1024;

const fileSchema = z.object({ upload_time_iso_8601: z.string().optional(), yanked: z.boolean().default(false) });
const projectSchema = z.object({ releases: entriesOf(z.array(fileSchema)) });

/** A project of the Python Package Index (docs.pypi.org/api/json). Keys: `pypi:NAME`, the name as PEP 503 writes it. */
export const pypiSource: ReleaseSource = {
  kind: 'pypi',
  key: () => undefined,
  annotated: keyOf,

  inferred(address) {
    const [, initial, name = ''] =
      /^https:\/\/(?:files\.pythonhosted\.org|pypi\.org|pypi\.io|pypi\.python\.org)\/packages\/(?:source|py\d[\d.]*)\/([^/])\/([^/]+)\/[^/]+$/.exec(
        address,
      ) ?? [];
    return initial === name[0] ? keyOf(name) : undefined;
  },

  poll(request, ports) {
    const url = `${index}/pypi/${identifierOf(request.source)}/json`;
    return pollDocument(request, ports, { url, accept: 'application/json', limit }, tagsOf);
  },
};

function keyOf(name: string): string | undefined {
  if (!/^[a-z0-9](?:[\w.-]*[a-z0-9])?$/i.test(name)) return undefined;
  return `pypi:${name.toLowerCase().replaceAll(/[-_.]+/g, '-')}`;
}

/** A version without files, or with all of them yanked (PEP 592), is withdrawn. Pre-releases are those of PEP 440. */
function tagsOf(document: UpstreamDocument): UpstreamTag[] {
  const { releases } = readJson(document, projectSchema);
  const tags = releases.flatMap(([tag, files]) => {
    const version = parse(tag);
    if (version === null || files.every(({ yanked }) => yanked)) return [];
    const [first] = files.flatMap((file) => publishedAt(file.upload_time_iso_8601).publishedAt ?? []).toSorted();
    return [{ tag, prerelease: version.pre !== null || version.dev !== null, ...publishedAt(first) }];
  });
  return latestFirst(tags);
}
