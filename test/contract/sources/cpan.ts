import { cpanSource } from '../../../src/watch/sources/cpan.ts';
import type { SourceDescription } from '../source-suite.ts';

const address = 'https://fastapi.metacpan.org/v1/release/versions/libwww-perl';
const release = (version: string, date: string, more: Readonly<Record<string, unknown>> = {}) => ({
  author: 'OALDERS',
  authorized: true,
  date,
  download_url: `https://cpan.metacpan.org/authors/id/O/OA/OALDERS/libwww-perl-${version}.tar.gz`,
  maturity: 'released',
  name: `libwww-perl-${version}`,
  status: 'cpan',
  version,
  ...more,
});

/** Shape: github.com/metacpan/metacpan-api, MetaCPAN::Query::Release, versions. */
export const description: SourceDescription = {
  source: cpanSource,
  key: 'cpan:libwww-perl',
  document: address,
  recorded: {
    [address]: JSON.stringify({
      releases: [
        release('6.77', '2024-03-11T00:58:42', { status: 'latest' }),
        release('6.76', '2024-01-25T18:32:28', { version: '6.760' }),
        release('6.75', '2024-01-24T14:30:24', { status: 'backpan' }),
        release('6.74-TRIAL', '2024-01-22T17:49:46', { maturity: 'developer' }),
        release('9.99', '2024-01-21T00:00:00', { authorized: false }),
        { name: 'libwww-perl-6.73' },
        release('6.72', '2023-07-17T22:02:14', { version: 6.72 }),
      ],
      total: 7,
      took: 4,
    }),
  },
  expected: [
    { tag: '6.77', prerelease: false, publishedAt: '2024-03-11T00:58:42.000Z' },
    { tag: '6.76', prerelease: false, publishedAt: '2024-01-25T18:32:28.000Z' },
    { tag: '6.74-TRIAL', prerelease: true, publishedAt: '2024-01-22T17:49:46.000Z' },
    { tag: '6.72', prerelease: false, publishedAt: '2023-07-17T22:02:14.000Z' },
  ],
  listing: (versions) => ({
    [address]: JSON.stringify({
      releases: versions.map((version, at) =>
        release(version, new Date(Date.UTC(2020, 0, 1) + at * 60_000).toISOString().slice(0, 19)),
      ),
    }),
  }),
  annotated: { 'libwww-perl': 'cpan:libwww-perl', Moose: 'cpan:Moose', 'Foo::Bar': undefined, 'a/b': undefined },
  inferred: {
    'https://cpan.metacpan.org/authors/id/O/OA/OALDERS/libwww-perl-${{package.version}}.tar.gz': 'cpan:libwww-perl',
    'https://www.cpan.org/authors/id/E/ET/ETHER/Class-C3-XS-0.15.tar.gz': 'cpan:Class-C3-XS',
    'https://cpan.metacpan.org/authors/id/A/AB/ABC/sub/Foo-v1.2.3.tgz': 'cpan:Foo',
    'https://cpan.metacpan.org/authors/id/A/AB/ABC/${{vars.dist}}-1.0.tar.gz': undefined,
    'https://cpan.metacpan.org/src/5.0/perl-5.40.0.tar.gz': undefined,
  },
};
