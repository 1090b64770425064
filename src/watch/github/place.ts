import { RegrowError } from '../../errors.ts';
import type { ReleaseList } from '../../ports/releases.ts';

const keyForm = /^github:([\w.-]+)\/([\w.-]+)\/(releases|tags)$/;

/** What a key of this kind names: `github:OWNER/REPO/releases`, `github:OWNER/REPO/tags`. */
export interface GitHubPlace {
  readonly owner: string;
  readonly repository: string;
  readonly list: ReleaseList;
}

export function keyOf(identifier: string, list: ReleaseList): string | undefined {
  const key = `github:${identifier}/${list}`;
  return keyForm.test(key) ? key : undefined;
}

/** Throws internal for a key that this kind of source never gave. */
export function placeOf(source: string): GitHubPlace {
  const [, owner, repository, list] = keyForm.exec(source) ?? [];
  if (owner === undefined || repository === undefined || (list !== 'releases' && list !== 'tags')) {
    throw new RegrowError('internal', `${source} is not a key of GitHub releases or tags`);
  }
  return { owner, repository, list };
}
