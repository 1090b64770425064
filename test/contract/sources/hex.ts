import { hexSource } from '../../../src/watch/sources/hex.ts';
import type { SourceDescription } from '../source-suite.ts';

const address = 'https://hex.pm/api/packages/rebar3_hex';
const release = (version: string, date: string) => ({
  version,
  url: `https://hex.pm/api/packages/rebar3_hex/releases/${version}`,
  has_docs: true,
  inserted_at: date,
});

/** Shape: github.com/hexpm/specifications, apiary.apib, Package. */
export const description: SourceDescription = {
  source: hexSource,
  key: 'hex:rebar3_hex',
  document: address,
  recorded: {
    [address]: JSON.stringify({
      name: 'rebar3_hex',
      latest_version: '8.0.0-rc.1',
      latest_stable_version: '7.0.8',
      inserted_at: '2015-12-01T22:17:22Z',
      releases: [
        release('8.0.0-rc.1', '2024-02-01T10:00:00.000000Z'),
        release('7.0.8', '2024-03-01T10:00:00.000000Z'),
        release('7.0.7', '2023-05-14T17:24:19.000000Z'),
        { version: 7 },
        release('6.11.9', '2022-01-01T00:00:00.000000Z'),
      ],
      retirements: { '7.0.7': { message: 'does not start', reason: 'invalid' } },
    }),
  },
  expected: [
    { tag: '7.0.8', prerelease: false, publishedAt: '2024-03-01T10:00:00.000Z' },
    { tag: '8.0.0-rc.1', prerelease: true, publishedAt: '2024-02-01T10:00:00.000Z' },
    { tag: '6.11.9', prerelease: false, publishedAt: '2022-01-01T00:00:00.000Z' },
  ],
  listing: (versions) => ({
    [address]: JSON.stringify({
      releases: versions
        .map((version, at) => release(version, new Date(Date.UTC(2020, 0, 1) + at * 60_000).toISOString()))
        .toReversed(),
    }),
  }),
  odd: ['1.0.0'],
  annotated: { rebar3_hex: 'hex:rebar3_hex', 'a-b': undefined, Phoenix: undefined, 'org/private': undefined },
  inferred: {
    'https://repo.hex.pm/tarballs/phoenix_html-${{package.version}}.tar': 'hex:phoenix_html',
    'https://repo.hex.pm/tarballs/${{package.name}}-1.0.0.tar': undefined,
    'https://repo.hex.pm/repos/org/tarballs/a-1.0.0.tar': undefined,
  },
};
