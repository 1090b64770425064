import { gitlabSource } from '../../../src/watch/sources/gitlab.ts';
import type { SourceDescription } from '../source-suite.ts';

const address =
  'https://gitlab.gnome.org/api/v4/projects/GNOME%2Flibs%2Fpango/repository/tags?order_by=updated&sort=desc&per_page=100';
const commit = (pair: string, date: string) => ({ id: pair.repeat(20), short_id: pair.repeat(4), created_at: date });

/** Shape: docs.gitlab.com/api/tags, List all project repository tags. */
export const description: SourceDescription = {
  source: gitlabSource,
  key: 'gitlab:gitlab.gnome.org/GNOME/libs/pango',
  document: address,
  recorded: {
    [address]: {
      headers: { link: `<${address}&page=2>; rel="next", <${address}&page=1>; rel="first"` },
      body: JSON.stringify([
        {
          name: '1.54.0',
          message: 'Release 1.54.0',
          target: '12'.repeat(20),
          commit: commit('ab', '2024-06-23T21:29:00.000+02:00'),
          release: { tag_name: '1.54.0', description: 'notes' },
          protected: true,
          created_at: '2024-06-24T09:00:00.000+02:00',
        },
        {
          name: '1.53.0',
          target: 'cd'.repeat(20),
          commit: commit('cd', '2024-05-26T12:00:00.000+00:00'),
          created_at: null,
          release: null,
        },
        { name: 7 },
        { name: 'a-tree', target: '34'.repeat(20), commit: null },
      ]),
    },
  },
  expected: [
    {
      tag: '1.54.0',
      prerelease: false,
      commit: 'ab'.repeat(20),
      object: '12'.repeat(20),
      publishedAt: '2024-06-24T07:00:00.000Z',
    },
    { tag: '1.53.0', prerelease: false, commit: 'cd'.repeat(20), publishedAt: '2024-05-26T12:00:00.000Z' },
    { tag: 'a-tree', prerelease: false },
  ],
  listing: (versions) => ({
    [address]: JSON.stringify(
      versions.toReversed().map((name) => ({ name, commit: commit('ab', '2024-01-01T00:00:00.000+00:00') })),
    ),
  }),
  annotated: {
    'gitlab.gnome.org/GNOME/libs/pango': 'gitlab:gitlab.gnome.org/GNOME/libs/pango',
    'git.example.com:8443/a/b': 'gitlab:git.example.com:8443/a/b',
    'inkscape/inkscape': undefined,
    'gitlab.com/project': undefined,
    'gitlab.com/../project': undefined,
    'https://gitlab.com/a/b': undefined,
  },
  inferred: {
    'https://gitlab.com/inkscape/inkscape/-/archive/INKSCAPE_1_4/inkscape.tar.gz':
      'gitlab:gitlab.com/inkscape/inkscape',
    'https://gitlab.freedesktop.org/a/b/c/-/releases/v${{package.version}}/downloads/c.tar.xz':
      'gitlab:gitlab.freedesktop.org/a/b/c',
    'https://gitlab.com/${{vars.group}}/b/-/archive/v1/b.tar.gz': undefined,
    'https://gitlab.com/a/b/raw/main/file': undefined,
  },
};
