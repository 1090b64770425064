import { rubygemsSource } from '../../../src/watch/sources/rubygems.ts';
import type { SourceDescription } from '../source-suite.ts';

const address = 'https://rubygems.org/api/v1/versions/nokogiri.json';

const version = (number: string, created: string, more: object = {}) => ({
  authors: 'Mike Dalessio',
  built_at: '2025-01-01T00:00:00.000Z',
  created_at: created,
  downloads_count: 1,
  metadata: {},
  number,
  platform: 'ruby',
  prerelease: false,
  licenses: ['MIT'],
  requirements: [],
  sha: 'ff'.repeat(32),
  ...more,
});

/** Shape: guides.rubygems.org/rubygems-org-api, Gem Version Methods. */
export const description: SourceDescription = {
  source: rubygemsSource,
  key: 'rubygems:nokogiri',
  document: address,
  recorded: {
    [address]: JSON.stringify([
      version('1.18.9', '2025-07-20T20:30:00.000Z'),
      version('1.18.9', '2025-07-20T20:29:00.000Z', { platform: 'x86_64-linux-musl' }),
      version('1.19.0.rc1', '2025-08-01T00:00:00.000Z', { prerelease: true }),
      version('1.18.8', '2025-04-21T20:00:00.000Z', { platform: 'java' }),
      version('1.18.7', '2025-04-06T20:00:00.000Z'),
      { platform: 'ruby' },
    ]),
  },
  expected: [
    { tag: '1.19.0.rc1', prerelease: true, publishedAt: '2025-08-01T00:00:00.000Z' },
    { tag: '1.18.9', prerelease: false, publishedAt: '2025-07-20T20:30:00.000Z' },
    { tag: '1.18.7', prerelease: false, publishedAt: '2025-04-06T20:00:00.000Z' },
  ],
  listing: (versions) => ({
    [address]: JSON.stringify(
      versions
        .map((number, at) => version(number, new Date(Date.UTC(2020, 0, 1) + at * 60_000).toISOString()))
        .toReversed(),
    ),
  }),
  annotated: {
    nokogiri: 'rubygems:nokogiri',
    'fluent-plugin-s3': 'rubygems:fluent-plugin-s3',
    'net-http.x': 'rubygems:net-http.x',
    'a/b': undefined,
    '.a': undefined,
  },
  inferred: {
    'https://rubygems.org/downloads/fluent-plugin-s3-${{package.version}}.gem': 'rubygems:fluent-plugin-s3',
    'https://rubygems.org/gems/nokogiri-1.18.9.gem': 'rubygems:nokogiri',
    'https://rubygems.org/downloads/${{vars.gem}}-${{package.version}}.gem': undefined,
    'https://rubygems.org/downloads/nokogiri-1.18.9.gem.sig': undefined,
    'https://rubygems.org/gems/nokogiri': undefined,
  },
};
