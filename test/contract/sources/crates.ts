import { cratesSource } from '../../../src/watch/sources/crates.ts';
import type { SourceDescription } from '../source-suite.ts';

const line = (vers: string, more: object = {}) =>
  JSON.stringify({
    name: 'ripgrep',
    vers,
    deps: [],
    cksum: 'ff'.repeat(32),
    features: {},
    yanked: false,
    ...more,
  });

const address = 'https://index.crates.io/ri/pg/ripgrep';

/** Shape: doc.rust-lang.org/cargo/reference/registry-index.html. */
export const description: SourceDescription = {
  source: cratesSource,
  key: 'crates:ripgrep',
  document: address,
  recorded: {
    [address]: [
      line('13.0.0', { rust_version: '1.56' }),
      line('14.0.0', { yanked: true }),
      line('14.1.0', { pubtime: '2024-01-06T18:30:00Z' }),
      line('14.0.3'),
      line('15.0.0-beta.1', { pubtime: '2025-10-01T00:00:00Z' }),
      line('not-a-version'),
      '{"name":"ripgrep"',
      '',
    ].join('\n'),
  },
  expected: [
    { tag: '15.0.0-beta.1', prerelease: true, publishedAt: '2025-10-01T00:00:00.000Z' },
    { tag: '14.1.0', prerelease: false, publishedAt: '2024-01-06T18:30:00.000Z' },
    { tag: '14.0.3', prerelease: false },
    { tag: '13.0.0', prerelease: false },
  ],
  listing: (versions) => ({ [address]: versions.map((vers) => `${line(vers)}\n`).join('') }),
  odd: ['1.0.0'],
  // A line that ends too soon is a rotten line, and a crate has lines only.
  tolerates: ['truncated', 'empty'],
  annotated: {
    ripgrep: 'crates:ripgrep',
    Inflector: 'crates:inflector',
    'proc-macro2': 'crates:proc-macro2',
    '2048': undefined,
    'a/b': undefined,
    'a.b': undefined,
  },
  inferred: {
    'https://crates.io/api/v1/crates/ripgrep/${{package.version}}/download': 'crates:ripgrep',
    'https://static.crates.io/crates/ripgrep/ripgrep-14.1.0.crate': 'crates:ripgrep',
    'https://crates.io/api/v1/crates/${{package.name}}/1.0.0/download': undefined,
    'https://crates.io.example.org/api/v1/crates/ripgrep/1.0.0/download': undefined,
  },
};
