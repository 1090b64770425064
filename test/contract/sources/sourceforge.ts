import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import { sourceforgeSource } from '../../../src/watch/sources/sourceforge.ts';
import type { SourceDescription } from '../source-suite.ts';
import { escapeXml, type RecordedAnswer } from '../upstream-server.ts';

const address = 'https://sourceforge.net/projects/libpng/rss?path=/libpng16&limit=1000';
const { recipe } = parseRecipe('r.yaml', 'package:\n  name: r\n  version: "1"\n  epoch: 0\n');

const feed = (files: readonly (readonly [string, string])[]): RecordedAnswer => ({
  headers: { 'content-type': 'text/xml; charset=utf-8' },
  body: `<?xml version="1.0" encoding="utf-8"?>
<rss xmlns:content="http://purl.org/rss/1.0/modules/content/" version="2.0"><channel><title>LIBPNG</title>
<link>https://sourceforge.net</link><pubDate>Sun, 01 Sep 2024 00:00:00 UT</pubDate>
${files
  .map(
    ([path, date]) => `<item><title><![CDATA[${path}]]></title><link>https://sourceforge.net/projects/x/download</link>
<pubDate>${date}</pubDate><description><![CDATA[${path}]]></description>
<files:extra-info xmlns:files="https://sourceforge.net/api/files.rdf#">XZ &amp; ${escapeXml('<data>')}</files:extra-info></item>`,
  )
  .join('\n')}
</channel></rss>`,
});
const inFolder = (version: string) => `/libpng16/${version}/libpng-${version}.tar.xz`;

/** Shape: the feed of a project's files, sourceforge.net/p/forge/documentation/RSS. */
export const description: SourceDescription = {
  source: sourceforgeSource,
  key: String.raw`sourceforge:libpng/libpng16 /libpng-([^/]+)\.tar\.xz$`,
  document: address,
  recorded: {
    [address]: feed([
      [inFolder('1.6.40'), 'Wed, 21 Jun 2023 17:35:24 UT'],
      ['/libpng16/1.6.44/lpng1644.zip', 'Thu, 12 Sep 2024 15:30:12 UT'],
      [inFolder('1.6.44'), 'Thu, 12 Sep 2024 15:28:34 UT'],
    ]),
  },
  expected: [
    { tag: '1.6.44', prerelease: false, publishedAt: '2024-09-12T15:28:34.000Z' },
    { tag: '1.6.40', prerelease: false, publishedAt: '2023-06-21T17:35:24.000Z' },
  ],
  listing: (versions) => ({
    [address]: feed(
      versions.map((version, at) => [
        inFolder(version),
        new Date(Date.UTC(2020, 0, 1) + at * 60_000).toUTCString().replace('GMT', 'UT'),
      ]),
    ),
  }),
  recipe,
  annotated: {
    libpng: 'sourceforge:libpng',
    'libpng/libpng16': 'sourceforge:libpng/libpng16',
    'libpng/../etc': undefined,
    'https://sourceforge.net/projects/libpng': undefined,
  },
  inferred: {
    'https://downloads.sourceforge.net/project/libpng/libpng16/${{package.version}}/libpng-${{package.version}}.tar.xz': String.raw`sourceforge:libpng /libpng-(\d[\w.]*)\.tar\.xz$`,
    'https://downloads.sourceforge.net/lzmautils/xz-${{package.version}}.tar.gz?use_mirror=x': String.raw`sourceforge:lzmautils /xz-(\d[\w.]*)\.tar\.gz$`,
    'https://sourceforge.net/projects/expat/files/expat/2.6/expat-${{package.version}}.tar.xz/download': String.raw`sourceforge:expat /expat-(\d[\w.]*)\.tar\.xz$`,
    'https://downloads.sourceforge.net/project/libpng/libpng-1.6.44.tar.xz': undefined,
    'https://downloads.sourceforge.net/project/${{vars.x}}/a-${{package.version}}.tar.xz': undefined,
    'https://sourceforge.net/p/libpng/code/': undefined,
  },
};
