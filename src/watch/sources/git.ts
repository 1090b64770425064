import { RegrowError } from '../../errors.ts';
import type { PipelineNode, Recipe } from '../../model/recipe/recipe.ts';
import { substituteKnown } from '../../model/recipe/substitute.ts';
import { recipeScope } from '../../model/recipe/variables.ts';
import type { GitRef } from '../../ports/git.ts';
import { answerInvalid } from '../document.ts';
import { answerOf, highestFirst, identifierOf } from '../observe.ts';
import type { ReleaseSource } from '../source.ts';

const tagPrefix = 'refs/tags/';
/** What stands behind `#` in a key of a branch: the branch, and the version whose snapshots it gives. */
const branchForm = /^(.+)#([\w./+-]+)@([\w.+-]+)$/;

/**
 * Tags of the repository that the first git-checkout of the recipe names, with the commits they peel to. Keys: `git:URL`.
 *
 * A checkout that follows a branch has no tags to go by: `git:URL#BRANCH@0_git` gives one, `0_gitDATE`, the day on which the commit
 * at the branch's head was first seen there; with a version that is no snapshot (`#stable@2.43`) it gives that version,
 * because nothing says what the branch's commits are to be called.
 */
export const gitSource: ReleaseSource = {
  kind: 'git',

  key(recipe) {
    if (recipe.update?.git === undefined) return undefined;
    const checkout = firstCheckout(recipe.pipeline);
    if (checkout === undefined) return undefined;
    const scope = recipeScope(recipe);
    const value = (name: string): string => substituteKnown(checkout.with[name] ?? '', scope);
    const key = keyOf(value('repository'));
    const branch = value('branch');
    if (key === undefined || branch === '' || value('tag') !== '') return key;
    const named = `${key}#${branch}@${stemOf(recipe)}`;
    return branchForm.test(named) ? named : undefined;
  },

  annotated: keyOf,

  async poll(request, ports) {
    const [, url = identifierOf(request.source), branch, stem] = branchForm.exec(identifierOf(request.source)) ?? [];
    const refs = await ports.git.lsRemote(url, request.signal);
    // A page of HTML reads to git as a repository that has nothing.
    if (refs.length === 0)
      throw answerInvalid(url, 'has no branches and no tags: it is no git repository, or an empty one');
    if (branch === undefined || stem === undefined) return answerOf(request, ports, { tags: tagsOf(refs) });
    const head = refs.find(({ name }) => name === `refs/heads/${branch}`);
    if (head === undefined) throw noBranch(url, branch);
    const { commit } = head;
    if (commit === request.cursor) return { kind: 'unchanged' };
    const day = ports.clock.now().toISOString().slice(0, 10).replaceAll('-', '');
    const tag = stem.endsWith('_git') ? `${stem}${day}` : stem;
    return answerOf(request, ports, { tags: [{ tag, commit, prerelease: false }], etag: commit });
  },
};

/** Only what git asks over the network without a program of our choice: no file, no ssh, no `ext::`. */
function keyOf(address: string): string | undefined {
  if (!/^(?:https?|git):\/\/[\w.-]+(?::\d+)?\/[\w./~+%-]+$/i.test(address) || address.includes('..')) return undefined;
  return `git:${address.replace(/\/+$/, '')}`;
}

/** `0_git20260801` is the snapshot of a day. */
function stemOf(recipe: Recipe): string {
  return recipe.package.version.replace(/(?<=_git)\d{8}$/, '');
}

function firstCheckout(nodes: readonly PipelineNode[]): PipelineNode | undefined {
  for (const node of nodes) {
    const found = node.uses === 'git-checkout' ? node : firstCheckout(node.pipeline);
    if (found !== undefined) return found;
  }
  return undefined;
}

function tagsOf(refs: readonly GitRef[]) {
  const tags = refs.flatMap(({ name, ...ids }) =>
    name.startsWith(tagPrefix) ? [{ tag: name.slice(tagPrefix.length), prerelease: false, ...ids }] : [],
  );
  return highestFirst(tags);
}

function noBranch(url: string, branch: string): RegrowError {
  return new RegrowError('upstream.not-found', `${url} has no branch ${branch}`, {
    remedy: 'correct the branch in the recipe, or see whether upstream renamed it',
  });
}
