import { RegrowError } from '../../errors.ts';
import { type BranchWrite, sealMessage } from '../../ports/forge.ts';
import type { Plumbing } from './plumbing.ts';

/** The commit that a write asks for; no ref points at it yet. */
export async function commitOn(git: Plumbing, write: BranchWrite): Promise<string> {
  const tree = await git.writeTree(write.parent, write.files);
  const { expectedHead: head } = write;
  const contained = head === undefined || head === write.parent;
  const parents = contained ? [write.parent] : [head, write.parent];
  return git.writeCommit(tree, parents, sealMessage(write.message, tree));
}

/** Main with a branch merged into it: the branch itself where main has not moved since, a merge commit otherwise. */
export async function mergeOf(git: Plumbing, main: string, head: string, message: string): Promise<string> {
  if (await git.isAncestor(main, head)) return head;
  const merged = await git.ask(['merge-tree', '--write-tree', main, head]);
  if (merged === undefined) {
    throw new RegrowError('forge.conflict', `${head} does not merge into ${main}: both changed the same lines`, {
      retry: 'later',
      remedy: 'nothing to do: the update is made again from the newer recipe',
    });
  }
  const [tree = ''] = merged.split('\n', 1);
  return git.writeCommit(tree, [main, head], message);
}

export async function conflict(git: Plumbing, write: BranchWrite): Promise<RegrowError> {
  const found = (await git.resolve(`refs/heads/${write.branch}`)) ?? 'no such branch';
  const expected = write.expectedHead ?? 'no such branch';
  return new RegrowError(
    'forge.conflict',
    `branch ${write.branch} was moved by someone else: expected ${expected}, found ${found}`,
    { retry: 'later', remedy: 'merge or delete the branch; regrow never overwrites it' },
  );
}
