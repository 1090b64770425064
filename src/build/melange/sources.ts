import type { BuildSource } from '../../model/build.ts';
import type { ResolvedRecipe } from '../../model/recipe/resolved.ts';
import type { Workspace } from '../../ports/workspace.ts';
import { archiveSource, checkOutPinned, fetchPinned, gitSource } from '../host/native-steps.ts';
import { directories, type MelangeEngineContext } from './context.ts';
import { type NativeStep, nativeSteps, networkInputs } from './native-steps.ts';

export interface SourcesPlace {
  readonly context: Pick<MelangeEngineContext, 'sources' | 'git'>;
  readonly workspace: Workspace;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface BroughtSources {
  /** What the packages are made from, in the order of the steps. */
  readonly sources: readonly BuildSource[];
  /** What a step that clones one of these may have in its place, by folder of the cache. */
  readonly repositories: readonly { readonly repository: string; readonly folder: string }[];
}

/**
 * Brings every source of a recipe into the cache that melange's steps look in, held to what the recipe pins: a `fetch` as
 * `sha256:HEX` or `sha512:HEX`, a `git-checkout` as a repository of its own that has that one commit, under the names that the
 * step asks for. Steps then need no network for them.
 */
export async function bringSources(resolved: ResolvedRecipe, place: SourcesPlace): Promise<BroughtSources> {
  const folders = new Map<string, string>();
  const sources: BuildSource[] = [];
  for (const one of resolved.packages) {
    for (const step of nativeSteps(one.steps)) sources.push(await bring(step, resolved.name, folders, place));
  }
  for (const one of resolved.packages) {
    for (const step of nativeSteps(one.test?.steps ?? [])) await bring(step, resolved.name, folders, place);
  }
  const repositories = [...folders].map(([repository, folder]) => ({ repository, folder }));
  return { sources, repositories };
}

async function bring(
  { native }: NativeStep,
  name: string,
  folders: Map<string, string>,
  place: SourcesPlace,
): Promise<BuildSource> {
  const { context, workspace, signal, say } = place;
  const inputs = native.with;
  if (native.uses === 'fetch') {
    const file = await fetchPinned(inputs, { sources: context.sources, signal });
    say(`${name}: fetched ${inputs['uri'] ?? ''}, ${file.bytes} bytes, sha256 ${file.sha256}`);
    for (const hash of ['sha256', 'sha512'] as const) {
      if ((inputs[`expected-${hash}`] ?? '') === '') continue;
      await workspace.copy(file.path, `${directories.cache}/${hash}:${file[hash]}`);
    }
    return archiveSource(inputs, file);
  }
  const repository = inputs['repository'] ?? '';
  const branch = inputs['branch'] ?? '';
  const known = folders.get(repository);
  const folder = known ?? `git/${folders.size}`;
  const path = `${directories.cache}/${folder}`;
  await workspace.makeDirectory(path);
  const head = await checkOutPinned(inputs, workspace.path(path), { git: context.git, package: name, signal });
  say(`${name}: checked out ${repository} at ${head.commit}`);
  if (branch !== '') await workspace.write(`${path}/.git/refs/heads/${branch}`, `${head.commit}\n`);
  // What leads to more of upstream than this commit, upstream has to answer.
  if (networkInputs(inputs).length === 0) folders.set(repository, folder);
  else if (known === undefined) await workspace.remove(path);
  return gitSource(inputs, head);
}
