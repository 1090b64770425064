/**
 * Pipelines that regrow does itself, outside of the sandbox that has no network. Inputs and defaults are those of melange's
 * pipelines of the same name; undefined is an input that has to be given.
 */
const nativePipelines = {
  fetch: {
    uri: undefined,
    'strip-components': '1',
    extract: 'true',
    delete: 'false',
    directory: '.',
    'expected-sha256': '',
    'expected-sha512': '',
    'expected-none': '',
    timeout: '5',
    'dns-timeout': '20',
    'retry-limit': '5',
    'purl-name': '${{package.name}}',
    'purl-version': '${{package.version}}',
    reason: '',
  },
  'git-checkout': {
    repository: undefined,
    destination: '.',
    depth: 'unset',
    branch: '',
    tag: '',
    'expected-commit': '',
    'expected-commit-is-branch-tip': 'false',
    'recurse-submodules': 'false',
    'shallow-submodules': 'false',
    'submodule-jobs': '1',
    'cherry-picks': '',
    'sparse-paths': '',
    'type-hint': '',
    'max-retries': '3',
    'initial-backoff': '2',
    'max-backoff': '60',
    reason: '',
  },
} as const;

export type NativePipeline = keyof typeof nativePipelines;

export function isNativePipeline(name: string): name is NativePipeline {
  return Object.hasOwn(nativePipelines, name);
}

/** Inputs by name, with default; undefined where one has to be given. */
export function nativeInputs(name: NativePipeline): Readonly<Record<string, string | undefined>> {
  return nativePipelines[name];
}
