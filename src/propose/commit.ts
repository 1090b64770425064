import { createHash } from 'node:crypto';
import { RegrowError } from '../errors.ts';
import type { ForgeBranch } from '../ports/forge.ts';

export interface EditedFile {
  readonly path: string;
  readonly text: string;
}

const contentName = 'Regrow-Content';
const baseName = 'Regrow-Base';

/** What a commit changes, by hash, so that the same edit is known again whatever commit it is in. */
export function contentOf(files: readonly EditedFile[]): string {
  const hash = createHash('sha256');
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const { path, text } of sorted) hash.update(JSON.stringify([path, text]));
  return hash.digest('hex').slice(0, 32);
}

/** Whether the tip of a branch is our commit with this content, written by an earlier run. */
export function holds(tip: ForgeBranch, content: string): boolean {
  return tip.ours && tip.message.includes(`\n${contentName}: ${content}\n`);
}

/** `base`: the commit of main that the files were edited on, where the commit stands on one. */
export function messageOf(title: string, text: string, content: string, base?: string): string {
  const standing = base === undefined ? '' : `${baseName}: ${base}\n`;
  return `${title}\n\n${text}\n\n${standing}${contentName}: ${content}\n`;
}

/** The commit of main that a commit of ours says it stands on. */
export function baseOf(tip: ForgeBranch): string | undefined {
  return tip.ours ? new RegExp(`\n${baseName}: ([0-9a-f]+)\n`).exec(tip.message)?.[1] : undefined;
}

export function notOurs(branch: string, commit: string): RegrowError {
  return new RegrowError(
    'forge.conflict',
    `${branch} has a commit that is not regrow's (${commit}); it is left as it is`,
    {
      remedy: 'merge or close its pull request, or delete the branch',
    },
  );
}

/** Someone else's commit on our branch stops us: their work is worth more than our update. */
export function refuseWhenNotOurs(branch: string, tip: ForgeBranch): void {
  if (!tip.ours) throw notOurs(branch, tip.commit);
}
