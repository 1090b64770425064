import { npmSource } from '../../../src/watch/sources/npm.ts';
import type { SourceDescription } from '../source-suite.ts';

const version = (number: string, more: object = {}) => ({
  name: 'left-pad',
  version: number,
  dist: { tarball: `https://registry.npmjs.org/left-pad/-/left-pad-${number}.tgz` },
  ...more,
});

/** Shape: github.com/npm/registry, docs/responses/package-metadata.md. */
export const description: SourceDescription = {
  source: npmSource,
  key: 'npm:left-pad',
  document: 'https://registry.npmjs.org/left-pad',
  recorded: {
    'https://registry.npmjs.org/left-pad': JSON.stringify({
      _id: 'left-pad',
      _rev: '127-2ae5a5bd9bbd1a1c53ebb9be4c1f6f1f',
      name: 'left-pad',
      'dist-tags': { latest: '1.3.0', next: '2.0.0-beta.1' },
      versions: {
        '1.1.0': version('1.1.0'),
        '1.2.0': version('1.2.0', { deprecated: 'use String.prototype.padStart()' }),
        '2.0.0-beta.1': version('2.0.0-beta.1'),
        '1.3.0': version('1.3.0', { deprecated: '' }),
        broken: 7,
      },
      time: {
        created: '2014-03-14T09:09:38.563Z',
        modified: '2024-05-01T00:00:00.000Z',
        '0.0.1': '2014-03-14T09:09:38.563Z',
        '1.1.0': '2016-04-19T21:09:18.123Z',
        '1.2.0': '2017-11-24T19:25:45.000Z',
        '2.0.0-beta.1': '2018-03-01T00:00:00.000Z',
        '1.3.0': '2018-04-09T21:01:54.000Z',
      },
      readme: '# left-pad',
    }),
  },
  expected: [
    { tag: '1.3.0', prerelease: false, publishedAt: '2018-04-09T21:01:54.000Z' },
    { tag: '2.0.0-beta.1', prerelease: true, publishedAt: '2018-03-01T00:00:00.000Z' },
    { tag: '1.1.0', prerelease: false, publishedAt: '2016-04-19T21:09:18.123Z' },
  ],
  listing: (versions) => ({
    'https://registry.npmjs.org/left-pad': JSON.stringify({
      name: 'left-pad',
      versions: Object.fromEntries(versions.map((number) => [number, version(number)])),
      time: Object.fromEntries(
        versions.map((number, at) => [number, new Date(Date.UTC(2020, 0, 1) + at * 60_000).toISOString()]),
      ),
    }),
  }),
  odd: ['1.0.0'],
  annotated: {
    'left-pad': 'npm:left-pad',
    '@types/node': 'npm:@types/node',
    'a/b': undefined,
    '@scope': undefined,
    '.hidden': undefined,
  },
  inferred: {
    'https://registry.npmjs.org/left-pad/-/left-pad-${{package.version}}.tgz': 'npm:left-pad',
    'https://registry.npmjs.org/@types/node/-/node-1.0.0.tgz': 'npm:@types/node',
    'https://registry.npmjs.org/${{vars.name}}/-/x-1.0.0.tgz': undefined,
    'http://registry.npmjs.org.example.org/left-pad/-/left-pad-1.0.0.tgz': undefined,
  },
};
