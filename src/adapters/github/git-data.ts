import { z } from 'zod';
import { RegrowError } from '../../errors.ts';
import { type BranchWrite, type ForgeBranch, isSealed, sealMessage } from '../../ports/forge.ts';
import { readAnswer, statusOf } from './failure.ts';
import type { GitHubForgeOptions } from './options.ts';

const refSchema = z.object({ object: z.object({ sha: z.string() }) });
const commitSchema = z.object({ sha: z.string(), message: z.string(), tree: z.object({ sha: z.string() }) });
const shaSchema = z.object({ sha: z.string() });

export async function readBranch(options: GitHubForgeOptions, branch: string): Promise<ForgeBranch | undefined> {
  const head = await headOf(options, branch);
  if (head === undefined) return undefined;
  const { message, tree } = await readCommit(options, head);
  return { commit: head, message, ours: isSealed(message, tree.sha) };
}

/** Tree, commit, then the ref, which is never forced: GitHub itself refuses a branch that someone else moved. */
export async function writeBranch(options: GitHubForgeOptions, write: BranchWrite): Promise<string> {
  const { client } = options;
  const place = placeOf(options);
  const head = await headOf(options, write.branch);
  if (head !== write.expectedHead) throw moved(options, write, head);
  const parent = await readCommit(options, write.parent);
  const tree = await client.rest.git.createTree({
    ...place,
    base_tree: parent.tree.sha,
    tree: write.files.map(({ path, text }) => ({ path, mode: '100644', type: 'blob', content: text })),
  });
  const treeId = readAnswer(shaSchema, tree.data, `write the files of ${write.branch}`).sha;
  const parents = head === undefined || head === write.parent ? [write.parent] : [head, write.parent];
  const made = await client.rest.git.createCommit({
    ...place,
    message: sealMessage(write.message, treeId),
    tree: treeId,
    parents,
  });
  const commit = readAnswer(shaSchema, made.data, `write a commit for ${write.branch}`).sha;
  try {
    if (head === undefined)
      await client.rest.git.createRef({ ...place, ref: `refs/heads/${write.branch}`, sha: commit });
    else await client.rest.git.updateRef({ ...place, ref: `heads/${write.branch}`, sha: commit, force: false });
  } catch (thrown) {
    if (statusOf(thrown) !== 422 && statusOf(thrown) !== 409) throw thrown;
    const now = await headOf(options, write.branch);
    // Told no although it is there: the answer to an earlier try of the same call was lost.
    if (now === commit) return commit;
    if (now === head) throw thrown;
    throw moved(options, write, now);
  }
  return commit;
}

export async function deleteBranch(options: GitHubForgeOptions, branch: string): Promise<void> {
  try {
    await options.client.rest.git.deleteRef({ ...placeOf(options), ref: `heads/${branch}` });
  } catch (thrown) {
    // Gone already: repositories can be set to delete merged branches.
    if (statusOf(thrown) !== 422 && statusOf(thrown) !== 404) throw thrown;
  }
}

async function headOf(options: GitHubForgeOptions, branch: string): Promise<string | undefined> {
  try {
    const answer = await options.client.rest.git.getRef({ ...placeOf(options), ref: `heads/${branch}` });
    return readAnswer(refSchema, answer.data, `read branch ${branch}`).object.sha;
  } catch (thrown) {
    if (statusOf(thrown) === 404) return undefined;
    throw thrown;
  }
}

async function readCommit(options: GitHubForgeOptions, commit: string): Promise<z.infer<typeof commitSchema>> {
  const answer = await options.client.rest.git.getCommit({ ...placeOf(options), commit_sha: commit });
  return readAnswer(commitSchema, answer.data, `read commit ${commit}`);
}

function placeOf({ owner, repository }: GitHubForgeOptions): { owner: string; repo: string } {
  return { owner, repo: repository };
}

function moved({ owner, repository }: GitHubForgeOptions, write: BranchWrite, head: string | undefined): RegrowError {
  const expected = write.expectedHead ?? 'no such branch';
  const found = head ?? 'no such branch';
  return new RegrowError(
    'forge.conflict',
    `branch ${write.branch} of ${owner}/${repository} was moved by someone else: expected ${expected}, found ${found}`,
    { retry: 'later', remedy: 'merge or close its pull request, or delete the branch; regrow never overwrites it' },
  );
}
