import { bumpRecipe, type HashEdit } from '../../bump/edit-recipe.ts';
import { hashEdits, type ResolvedHashes, type SourceToResolve, sourcesForVersion } from '../../bump/resolve-hashes.ts';
import { RegrowError } from '../../errors.ts';
import { parseTarget } from '../../model/target.ts';
import type { GitRef } from '../../ports/git.ts';
import type { ConductorContext } from './context.ts';
import { settlePins } from './dependency-pins.ts';
import type { RecipeFile } from './recipes.ts';

/**
 * The recipe at another version, every source looked up and pinned, and without the dependency pins that the new release
 * makes superfluous. `changed`: hashes that are not what they were. `pins`: what came of dependency pins, a sentence each.
 */
export async function pinVersion(
  context: ConductorContext,
  file: RecipeFile,
  version: string,
  signal: AbortSignal,
): Promise<{ readonly text: string; readonly changed: readonly HashEdit[]; readonly pins: readonly string[] }> {
  const target = context.settings.targets[0];
  if (target === undefined) throw new RegrowError('config.invalid', 'there is no target', { field: 'targets' });
  const found: { source: SourceToResolve; hashes: ResolvedHashes }[] = [];
  for (const source of sourcesForVersion(file.path, file.text, version, parseTarget(target))) {
    found.push({ source, hashes: await lookUp(context, file, source, signal) });
  }
  const hashes = hashEdits(found);
  const bumped = bumpRecipe(file.text, { version, hashes });
  const { text, notes } = await settlePins(context, file.path, bumped, parseTarget(target), signal);
  return { text, changed: hashes.filter((edit) => edit.old !== edit.value), pins: notes };
}

async function lookUp(
  { git, sources }: ConductorContext,
  file: RecipeFile,
  source: SourceToResolve,
  signal: AbortSignal,
): Promise<ResolvedHashes> {
  if (source.uses === 'fetch') {
    const { sha256, sha512 } = await sources.fetch(source.url, {}, signal);
    return { sha256, sha512 };
  }
  const { ref, repository } = source;
  const name = 'tag' in ref ? `refs/tags/${ref.tag}` : 'branch' in ref ? `refs/heads/${ref.branch}` : 'HEAD';
  const refs: readonly GitRef[] = await git.lsRemote(repository, signal);
  const commit = refs.find((one) => one.name === name)?.commit;
  if (commit !== undefined) return { commit };
  throw new RegrowError('upstream.not-found', `${repository} has no ${name}`, {
    package: file.recipe.package.name,
    file: file.path,
    line: source.line,
    retry: 'later',
    remedy: 'nothing to do where the tag is about to be pushed; otherwise correct the tag in the recipe',
  });
}
