import { packagistSource } from '../../../src/watch/sources/packagist.ts';
import type { SourceDescription } from '../source-suite.ts';

const address = 'https://repo.packagist.org/p2/monolog/monolog.json';
const commits = ['ab', 'cd', 'ef'].map((pair) => pair.repeat(20));
const source = (reference: string | undefined) => ({
  url: 'https://github.com/Seldaek/monolog.git',
  type: 'git',
  reference,
});

/** Shape: getcomposer.org/doc/05-repositories.md, metadata-url, minified as github.com/composer/metadata-minifier does it. */
export const description: SourceDescription = {
  source: packagistSource,
  key: 'packagist:monolog/monolog',
  document: address,
  recorded: {
    [address]: JSON.stringify({
      minified: 'composer/2.0',
      packages: {
        'monolog/monolog': [
          {
            name: 'monolog/monolog',
            description: 'Sends your logs to files, sockets, inboxes',
            version: '3.6.0',
            version_normalized: '3.6.0.0',
            source: source(commits[0]),
            time: '2024-04-12T21:02:21+00:00',
            require: { php: '>=8.1' },
          },
          // The same commit and time: only the names differ.
          { version: 'v3.5.0', version_normalized: '3.5.0.0' },
          { version: 7, time: '2023-12-01T00:00:00+00:00', source: source(commits[1]) },
          { version: '3.0.0-RC1', version_normalized: '3.0.0.0-RC1' },
          { version: '1.0.0-p1', version_normalized: '1.0.0.0-patch1', source: '__unset', time: '__unset' },
        ],
      },
      'security-advisories': [],
    }),
  },
  expected: [
    { tag: '3.6.0', prerelease: false, publishedAt: '2024-04-12T21:02:21.000Z', commit: 'ab'.repeat(20) },
    { tag: 'v3.5.0', prerelease: false, publishedAt: '2024-04-12T21:02:21.000Z', commit: 'ab'.repeat(20) },
    { tag: '3.0.0-RC1', prerelease: true, publishedAt: '2023-12-01T00:00:00.000Z', commit: 'cd'.repeat(20) },
    { tag: '1.0.0-p1', prerelease: false },
  ],
  listing: (versions) => ({
    [address]: JSON.stringify({
      minified: 'composer/2.0',
      packages: {
        'monolog/monolog': versions
          .toReversed()
          .map((version, at) => ({ ...(at === 0 ? { name: 'x' } : {}), version })),
      },
    }),
  }),
  annotated: {
    'monolog/monolog': 'packagist:monolog/monolog',
    'symfony/polyfill-php80': 'packagist:symfony/polyfill-php80',
    monolog: undefined,
    'Monolog/Monolog': undefined,
    'a/b/c': undefined,
  },
  inferred: {},
};
