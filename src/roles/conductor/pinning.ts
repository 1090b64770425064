import { bumpRecipe, type HashEdit } from '../../bump/edit-recipe.ts';
import { hashEdits, type ResolvedHashes, type SourceToResolve, sourcesForVersion } from '../../bump/resolve-hashes.ts';
import { RegrowError } from '../../errors.ts';
import { parseTarget } from '../../model/target.ts';
import type { GitRef } from '../../ports/git.ts';
import type { ConductorContext } from './context.ts';
import { settlePins } from './dependency-pins.ts';
import type { RecipeFile } from './recipes.ts';

/** A recipe at another version. */
export interface PinnedVersion {
  readonly text: string;
  /** Hashes of sources that were looked up, with what they were. */
  readonly hashes: readonly HashEdit[];
  /** Those that are not what they were. */
  readonly changed: readonly HashEdit[];
  /** What each source turned out to be, a sentence each. */
  readonly lookedUp: readonly string[];
  /** What came of dependency pins, a sentence each. */
  readonly pins: readonly string[];
}

/**
 * The recipe at another version, every source looked up and pinned, and without the dependency pins that the new release
 * makes superfluous.
 */
export async function pinVersion(
  context: ConductorContext,
  file: RecipeFile,
  version: string,
  signal: AbortSignal,
): Promise<PinnedVersion> {
  const target = context.settings.targets[0];
  if (target === undefined) throw new RegrowError('config.invalid', 'there is no target', { field: 'targets' });
  const found: { source: SourceToResolve; hashes: ResolvedHashes }[] = [];
  for (const source of sourcesForVersion(file.path, file.text, version, parseTarget(target))) {
    found.push({ source, hashes: await lookUp(context, file, source, signal) });
  }
  const hashes = hashEdits(found);
  const bumped = bumpRecipe(file.text, { version, hashes });
  const recipe = { path: file.path, before: file.text, text: bumped };
  const { text, notes } = await settlePins(context, recipe, parseTarget(target), signal);
  const changed = hashes.filter((edit) => edit.old !== edit.value);
  return { text, hashes, changed, lookedUp: found.map(describeSource), pins: notes };
}

function describeSource({ source, hashes }: { source: SourceToResolve; hashes: ResolvedHashes }): string {
  if (source.uses === 'fetch') return `${source.url} has sha256 ${hashes.sha256}`;
  const { ref, repository } = source;
  const name = 'tag' in ref ? `tag ${ref.tag}` : 'branch' in ref ? `branch ${ref.branch}` : 'HEAD';
  return `${name} of ${repository} is ${hashes.commit}`;
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
