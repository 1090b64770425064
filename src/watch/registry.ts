import type { ReleaseSource } from './source.ts';
import { cratesSource } from './sources/crates.ts';
import { gitSource } from './sources/git.ts';
import { githubSource } from './sources/github.ts';
import { goproxySource } from './sources/goproxy.ts';
import { npmSource } from './sources/npm.ts';
import { ociSource } from './sources/oci.ts';
import { pypiSource } from './sources/pypi.ts';
import { releaseMonitorSource } from './sources/release-monitor.ts';
import { rubygemsSource } from './sources/rubygems.ts';

/** Every kind of source, one file each in `sources/`; a test compares the two. Of an `update:` block that names several, the first counts. */
export const releaseSources: readonly ReleaseSource[] = [
  githubSource,
  gitSource,
  releaseMonitorSource,
  ociSource,
  cratesSource,
  goproxySource,
  npmSource,
  pypiSource,
  rubygemsSource,
];

export function sourceOfKind(key: string): ReleaseSource | undefined {
  const kind = key.slice(0, key.indexOf(':'));
  return releaseSources.find((candidate) => candidate.kind === kind);
}
