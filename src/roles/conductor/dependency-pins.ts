import { editPins } from '../../bump/pin-edits.ts';
import { type ManifestSource, type PinnedProjects, pinnedProjects } from '../../bump/pin-sources.ts';
import { judgePins } from '../../bump/pin-verdicts.ts';
import type { Manifest, ReadManifest } from '../../bump/project-versions.ts';
import { toRegrowError } from '../../errors.ts';
import type { Target } from '../../model/target.ts';
import type { Git } from '../../ports/git.ts';

/** Bytes of one manifest; the largest real ones (`Cargo.lock`) have less than one megabyte. */
const limit = 10 * 1024 * 1024;

/** A recipe before and after its sources were pinned anew. */
export interface BumpedRecipe {
  readonly path: string;
  readonly before: string;
  readonly text: string;
}

/**
 * A recipe at its new version, without the dependency pins that the release makes superfluous: reads the manifests of the
 * commits that the recipe pins. Where they cannot be read, the pins stay, and the notes say so: an update is worth more than
 * a tidy recipe. Throws what has nothing to do with upstream.
 */
export async function settlePins(
  { git }: { readonly git: Git },
  { path, before, text }: BumpedRecipe,
  target: Target,
  signal: AbortSignal,
): Promise<{ readonly text: string; readonly notes: readonly string[] }> {
  const projects = pinnedProjects(path, text, target);
  const read = await manifestReader(git, projects, signal);
  let verdicts = judgePins(projects.steps, read);
  if (verdicts.asksFormer) {
    const former = await manifestReader(git, pinnedProjects(path, before, target), signal);
    verdicts = judgePins(projects.steps, read, former);
  }
  const { edits, notes } = verdicts;
  try {
    return { text: editPins(text, edits), notes };
  } catch (thrown) {
    const error = toRegrowError(thrown);
    if (error.code !== 'recipe.edit-impossible') throw error;
    return { text, notes: [`All dependency pins stay as they are: ${error.message}`] };
  }
}

async function manifestReader(
  git: Git,
  { sources, absent }: PinnedProjects,
  signal: AbortSignal,
): Promise<ReadManifest> {
  const manifests = new Map<string, Manifest>();
  for (const [manifest, why] of absent) manifests.set(manifest, { absent: why });
  for (const source of sources) {
    for (const [manifest, found] of await readManifests(git, source, signal)) manifests.set(manifest, found);
  }
  return (manifest) => manifests.get(manifest) ?? { absent: 'was not looked for' };
}

async function readManifests(
  git: Git,
  { paths, ...source }: ManifestSource,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Manifest>> {
  const decoder = new TextDecoder();
  try {
    const files = await git.files({ ...source, paths: [...paths.keys()], limit, signal });
    return new Map(
      Array.from(paths, ([path, manifest]) => {
        const bytes = files.get(path);
        return [manifest, bytes === undefined ? { absent: 'is not in the release' } : { text: decoder.decode(bytes) }];
      }),
    );
  } catch (thrown) {
    const error = toRegrowError(thrown);
    if (!error.code.startsWith('upstream.')) throw error;
    return new Map(
      Array.from(paths.values(), (manifest) => [manifest, { absent: `could not be read (${error.code})` }]),
    );
  }
}
