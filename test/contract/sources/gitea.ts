import { giteaSource } from '../../../src/watch/sources/gitea.ts';
import type { SourceDescription } from '../source-suite.ts';

const address = 'https://codeberg.org/api/v1/repos/dnkl/foot/tags?limit=50';
const tag = (name: string, pair: string, date: string) => ({
  name,
  message: name,
  id: '12'.repeat(20),
  commit: { url: 'https://codeberg.org/x', sha: pair.repeat(20), created: date },
  zipball_url: `https://codeberg.org/dnkl/foot/archive/${name}.zip`,
  tarball_url: `https://codeberg.org/dnkl/foot/archive/${name}.tar.gz`,
});

/** Shape: codeberg.org/api/swagger, repoListTags. */
export const description: SourceDescription = {
  source: giteaSource,
  key: 'gitea:codeberg.org/dnkl/foot',
  document: address,
  recorded: {
    [address]: {
      headers: { link: '</api/v1/repos/dnkl/foot/tags?limit=50&page=2>; rel="next"', 'x-total-count': '82' },
      body: JSON.stringify([
        tag('1.19.0', 'ab', '2024-10-26T09:32:03+02:00'),
        { name: 7 },
        tag('1.18.1', 'cd', '2024-08-14T10:00:00Z'),
      ]),
    },
  },
  expected: [
    {
      tag: '1.19.0',
      prerelease: false,
      commit: 'ab'.repeat(20),
      object: '12'.repeat(20),
      publishedAt: '2024-10-26T07:32:03.000Z',
    },
    { tag: '1.18.1', prerelease: false, commit: 'cd'.repeat(20), publishedAt: '2024-08-14T10:00:00.000Z' },
  ],
  listing: (versions) => ({
    [address]: JSON.stringify(versions.toReversed().map((name) => tag(name, 'ab', '2024-01-01T00:00:00Z'))),
  }),
  annotated: {
    'codeberg.org/dnkl/foot': 'gitea:codeberg.org/dnkl/foot',
    'git.example.com:3000/a/b': 'gitea:git.example.com:3000/a/b',
    'dnkl/foot': undefined,
    'codeberg.org/../foot': undefined,
    'codeberg.org/a/b/c': undefined,
  },
  inferred: {
    'https://codeberg.org/dnkl/foot/archive/${{package.version}}.tar.gz': 'gitea:codeberg.org/dnkl/foot',
    'https://codeberg.org/a/b/releases/download/v1.0/b.tar.xz': 'gitea:codeberg.org/a/b',
    'https://codeberg.org/${{vars.owner}}/b/archive/1.0.tar.gz': undefined,
    'https://git.example.com/a/b/archive/1.0.tar.gz': undefined,
  },
};
