import { pypiSource } from '../../../src/watch/sources/pypi.ts';
import type { SourceDescription } from '../source-suite.ts';

const file = (name: string, time: string, more: object = {}) => ({
  filename: name,
  packagetype: name.endsWith('.whl') ? 'bdist_wheel' : 'sdist',
  upload_time: time.replace(/\..*$/, ''),
  upload_time_iso_8601: time,
  url: `https://files.pythonhosted.org/packages/aa/bb/cc/${name}`,
  yanked: false,
  yanked_reason: null,
  ...more,
});

/** Shape: docs.pypi.org/api/json. */
export const description: SourceDescription = {
  source: pypiSource,
  key: 'pypi:ruamel-yaml',
  document: 'https://pypi.org/pypi/ruamel-yaml/json',
  recorded: {
    'https://pypi.org/pypi/ruamel-yaml/json': JSON.stringify({
      info: { name: 'ruamel.yaml', version: '0.18.6', yanked: false },
      last_serial: 21_594_420,
      releases: {
        '0.18.4': [
          file('ruamel.yaml-0.18.4.tar.gz', '2023-10-31T06:00:00.000000Z', { yanked: true, yanked_reason: 'broken' }),
        ],
        '0.18.5': [
          file('ruamel.yaml-0.18.5-py3-none-any.whl', '2023-11-03T09:00:05.123456Z'),
          file('ruamel.yaml-0.18.5.tar.gz', '2023-11-03T09:00:01.654321Z', { yanked: true }),
        ],
        '0.18.6': [file('ruamel.yaml-0.18.6.tar.gz', '2024-02-07T06:47:20.283455Z')],
        '0.19.0a1': [file('ruamel.yaml-0.19.0a1.tar.gz', '2024-03-01T00:00:00.000000Z')],
        '0.19.0.dev2': [file('ruamel.yaml-0.19.0.dev2.tar.gz', '2024-02-20T00:00:00.000000Z')],
        '0.0': [],
        'not a version!': [file('x.tar.gz', '2020-01-01T00:00:00.000000Z')],
        '0.1': 'rotten',
      },
      urls: [],
      vulnerabilities: [],
    }),
  },
  expected: [
    { tag: '0.19.0a1', prerelease: true, publishedAt: '2024-03-01T00:00:00.000Z' },
    { tag: '0.19.0.dev2', prerelease: true, publishedAt: '2024-02-20T00:00:00.000Z' },
    { tag: '0.18.6', prerelease: false, publishedAt: '2024-02-07T06:47:20.283Z' },
    { tag: '0.18.5', prerelease: false, publishedAt: '2023-11-03T09:00:01.654Z' },
  ],
  listing: (versions) => ({
    'https://pypi.org/pypi/ruamel-yaml/json': JSON.stringify({
      info: { name: 'ruamel.yaml' },
      releases: Object.fromEntries(
        versions.map((number, at) => [
          number,
          [file('x.tar.gz', new Date(Date.UTC(2020, 0, 1) + at * 60_000).toISOString())],
        ]),
      ),
    }),
  }),
  odd: ['1.0.0', '00000000000000000000005'],
  annotated: {
    'ruamel.yaml': 'pypi:ruamel-yaml',
    Zope_Interface: 'pypi:zope-interface',
    x: 'pypi:x',
    'a/b': undefined,
    '-x': undefined,
    'x.': undefined,
  },
  inferred: {
    'https://files.pythonhosted.org/packages/source/r/ruamel.yaml/ruamel_yaml-${{package.version}}.tar.gz':
      'pypi:ruamel-yaml',
    'https://files.pythonhosted.org/packages/py3/p/pip/pip-${{package.version}}-py3-none-any.whl': 'pypi:pip',
    'https://pypi.io/packages/source/j/jupyterlab_pygments/jupyterlab_pygments-1.0.tar.gz': 'pypi:jupyterlab-pygments',
    'https://files.pythonhosted.org/packages/source/x/pip/pip-1.0.tar.gz': undefined,
    'https://files.pythonhosted.org/packages/source/$/${{package.name}}/pip-1.0.tar.gz': undefined,
    'https://files.pythonhosted.org/packages/ab/cd/0123456789abcdef/pip-1.0.tar.gz': undefined,
  },
};
