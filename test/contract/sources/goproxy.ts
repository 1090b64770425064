import { goproxySource } from '../../../src/watch/sources/goproxy.ts';
import type { SourceDescription } from '../source-suite.ts';

const base = 'https://proxy.golang.org/github.com/!burnt!sushi/toml';

/** Shape: go.dev/ref/mod#goproxy-protocol. The highest version retracts itself and others, as that of k8s.io/client-go does. */
export const description: SourceDescription = {
  source: goproxySource,
  key: 'goproxy:github.com/BurntSushi/toml',
  document: `${base}/@v/list`,
  recorded: {
    [`${base}/@v/list`]: [
      'v1.3.2',
      'v0.4.1',
      'v1.5.0',
      'v1.10.0',
      'v1.4.0',
      'v1.4.1',
      'v1.6.0-rc.1',
      'v1.3.9+incompatible',
      'v1.20.0',
      'v1.5.1-0.20240501120000-0123456789ab',
      'master',
      '',
    ].join('\n'),
    [`${base}/@v/v1.10.0.info`]: JSON.stringify({
      Version: 'v1.10.0',
      Time: '2025-06-18T05:26:54Z',
      Origin: {
        VCS: 'git',
        URL: 'https://github.com/BurntSushi/toml',
        Hash: '8d0c23c4ff6b9b39e7ad7ccbd04f6a8a5ad0f3a2',
        Ref: 'refs/tags/v1.10.0',
      },
    }),
    [`${base}/@v/v1.20.0.mod`]: [
      'module github.com/BurntSushi/toml',
      'go 1.18',
      'retract v0.4.1 // a mistake',
      'retract v1.20.0 // only retracts',
      'retract (',
      '\t// both of these',
      '\t[v1.4.0, v1.4.9]',
      '\tnonsense',
      ')',
    ].join('\n'),
  },
  expected: [
    {
      tag: 'v1.10.0',
      prerelease: false,
      publishedAt: '2025-06-18T05:26:54.000Z',
      commit: '8d0c23c4ff6b9b39e7ad7ccbd04f6a8a5ad0f3a2',
    },
    { tag: 'v1.6.0-rc.1', prerelease: true },
    { tag: 'v1.5.0', prerelease: false },
    { tag: 'v1.3.9', prerelease: false },
    { tag: 'v1.3.2', prerelease: false },
  ],
  listing: (versions) => ({ [`${base}/@v/list`]: versions.map((version) => `${version}\n`).join('') }),
  version: (n) => `v1.0.${n}`,
  odd: [],
  // Lines of text that stop are fewer lines of text.
  tolerates: ['truncated', 'empty'],
  annotated: {
    'github.com/BurntSushi/toml': 'goproxy:github.com/BurntSushi/toml',
    'gopkg.in/yaml.v3': 'goproxy:gopkg.in/yaml.v3',
    'github.com/../x': undefined,
    '/x': undefined,
    'x/': undefined,
  },
  inferred: {
    'https://proxy.golang.org/github.com/!burnt!sushi/toml/@v/v${{package.version}}.zip':
      'goproxy:github.com/BurntSushi/toml',
    'https://proxy.golang.org/github.com/BurntSushi/toml/@v/v1.0.0.zip': undefined,
    'https://proxy.golang.org/${{vars.module}}/@v/v1.0.0.zip': undefined,
  },
};
