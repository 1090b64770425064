import type { ReleaseSource } from './source.ts';
import { githubSource } from './sources/github.ts';
import { npmSource } from './sources/npm.ts';

/** Every kind of source, one file each in `sources/`; a test compares the two. */
export const releaseSources: readonly ReleaseSource[] = [githubSource, npmSource];

export function sourceOfKind(key: string): ReleaseSource | undefined {
  const kind = key.slice(0, key.indexOf(':'));
  return releaseSources.find((candidate) => candidate.kind === kind);
}
