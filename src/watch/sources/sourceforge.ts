import { z } from 'zod';
import { compileGoPattern } from '../../model/go-pattern.ts';
import type { UpstreamTag } from '../../model/observation.ts';
import { oneOrMore, readXml, type UpstreamDocument } from '../document.ts';
import { identifierOf, latestFirst, pollDocument, publishedAt } from '../observe.ts';
import { findVersions, keyWithPattern, patternOf, splitPattern } from '../pattern.ts';
import type { ReleaseSource } from '../source.ts';

const site = 'https://sourceforge.net/projects';
const placeForm = /^[a-z0-9][a-z0-9-]*(?:\/[\w.+~-]+)*$/i;
const archive = String.raw`\.(?:tar(?:\.(?:gz|bz2|xz|zst|lz|Z))?|tgz|tbz2?|txz|zip)$`;
const addressForm =
  /^https?:\/\/(?:(?:downloads|download|prdownloads)\.sourceforge\.net\/(?:projects?\/)?(?!projects?\/)([a-z0-9-]+)\/|sourceforge\.net\/projects\/([a-z0-9-]+)\/files\/)(?:[^?#]*\/)?([^/?#]+)(?:\?[^#]*)?$/i;

const feedSchema = z.object({
  rss: z.object({
    channel: z.object({ item: oneOrMore(z.object({ title: z.string(), pubDate: z.unknown().optional() })).optional() }),
  }),
});

/**
 * Files of a SourceForge project, by its feed, newest first (sourceforge.net/p/forge/documentation/RSS). The version is what the first
 * group of `dev.regrow.pattern` finds in a file's path; without one, what stands behind the project's name in the name of an archive.
 * Keys: `sourceforge:PROJECT`, `sourceforge:PROJECT/FOLDER`, each with ` PATTERN` where there is one.
 */
export const sourceforgeSource: ReleaseSource = {
  kind: 'sourceforge',
  key: () => undefined,
  readsPattern: true,
  // "not … more frequently than once per thirty minutes", as the site's rules for feeds have it.
  leastInterval: 30 * 60_000,

  annotated(identifier, recipe) {
    if (!placeForm.test(identifier) || identifier.includes('..')) return undefined;
    return keyWithPattern(`sourceforge:${identifier}`, patternOf(recipe));
  },

  /** The name of the file says how the others are called. */
  inferred(address) {
    const [, first, second, file = ''] = addressForm.exec(address.replace(/\/download(?=\?|$)/, '')) ?? [];
    const [, stem, ending] = /^([^${}]*)\$\{\{\s*package\.version\s*\}\}([^${}]*)$/.exec(file) ?? [];
    const project = first ?? second;
    if (project === undefined || stem === undefined || ending === undefined) return undefined;
    const pattern = String.raw`/${quote(stem)}(\d[\w.]*)${quote(ending)}$`;
    return keyWithPattern(`sourceforge:${project.toLowerCase()}`, pattern);
  },

  poll(request, ports) {
    const { place, pattern } = splitPattern(identifierOf(request.source));
    const [project = '', ...folder] = place.split('/');
    const url = `${site}/${project}/rss?path=/${folder.map(encodeURIComponent).join('/')}&limit=1000`;
    const used = pattern ?? String.raw`(?i)/${quote(project)}[-_]v?(\d[\w.]*?)(?:[-_.](?:src|source|orig))?${archive}`;
    return pollDocument(request, ports, { url }, (document) => tagsOf(document, used));
  },
};

function tagsOf(document: UpstreamDocument, pattern: string): UpstreamTag[] {
  const compiled = compileGoPattern(pattern);
  const { item = [] } = readXml(document, feedSchema).rss.channel;
  const tags = item.flatMap(({ title, pubDate }) =>
    findVersions(compiled, title, document.url).map((tag) => ({ tag, prerelease: false, ...dateOf(pubDate) })),
  );
  return latestFirst(tags);
}

/** `Mon, 23 Jan 2023 01:23:45 UT`; JavaScript knows UTC by its longer name alone. */
function dateOf(date: unknown): ReturnType<typeof publishedAt> {
  return publishedAt(typeof date === 'string' ? date.replace(/ UT$/, ' UTC') : date);
}

function quote(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
