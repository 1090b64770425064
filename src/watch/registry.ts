import type { ReleaseSource } from './source.ts';
import { cpanSource } from './sources/cpan.ts';
import { cratesSource } from './sources/crates.ts';
import { gitSource } from './sources/git.ts';
import { giteaSource } from './sources/gitea.ts';
import { githubSource } from './sources/github.ts';
import { gitlabSource } from './sources/gitlab.ts';
import { goproxySource } from './sources/goproxy.ts';
import { hexSource } from './sources/hex.ts';
import { mavenSource } from './sources/maven.ts';
import { npmSource } from './sources/npm.ts';
import { ociSource } from './sources/oci.ts';
import { packagistSource } from './sources/packagist.ts';
import { pageSource } from './sources/page.ts';
import { pypiSource } from './sources/pypi.ts';
import { releaseMonitorSource } from './sources/release-monitor.ts';
import { rubygemsSource } from './sources/rubygems.ts';
import { sourceforgeSource } from './sources/sourceforge.ts';

/** Every kind of source, one file each in `sources/`; a test compares the two. Of an `update:` block that names several, the first counts. */
export const releaseSources: readonly ReleaseSource[] = [
  githubSource,
  gitSource,
  releaseMonitorSource,
  ociSource,
  cpanSource,
  cratesSource,
  giteaSource,
  gitlabSource,
  goproxySource,
  hexSource,
  mavenSource,
  npmSource,
  packagistSource,
  pageSource,
  pypiSource,
  rubygemsSource,
  sourceforgeSource,
];

export function sourceOfKind(key: string): ReleaseSource | undefined {
  const kind = key.slice(0, key.indexOf(':'));
  return releaseSources.find((candidate) => candidate.kind === kind);
}
