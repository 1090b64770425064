import { parseRecipe } from '../model/recipe/recipe.ts';
import { type Scope, substituteKnown } from '../model/recipe/substitute.ts';
import { buildScope, recipeScope } from '../model/recipe/variables.ts';
import type { Target } from '../model/target.ts';
import { type PinStep, pinSteps, placeBelow, workingDirectory } from './dependency-pins.ts';
import { manifestsOf } from './project-versions.ts';
import { type RecipeDocument, readRecipeDocument } from './recipe-document.ts';
import { type SourceNode, sourceNodes } from './source-nodes.ts';

/** Files that are wanted of one commit. */
export interface ManifestSource {
  readonly repository: string;
  readonly commit: string;
  readonly tag?: string;
  readonly branch?: string;
  /** Place in the workspace by path in the repository. */
  readonly paths: ReadonlyMap<string, string>;
}

/** The pins of a recipe, and where the files are that say whether they are needed. */
export interface PinnedProjects {
  readonly steps: readonly PinStep[];
  readonly sources: readonly ManifestSource[];
  /** Why a file cannot be had, by its place in the workspace. */
  readonly absent: ReadonlyMap<string, string>;
}

/**
 * Where the projects that a recipe's pins are about come from, as the recipe is: at its new version, every source pinned.
 * Throws recipe.malformed, recipe.pattern-invalid, recipe.variable-unknown.
 */
export function pinnedProjects(path: string, text: string, target: Target): PinnedProjects {
  const document = readRecipeDocument(text);
  if (pinSteps(document).length === 0) return { steps: [], sources: [], absent: new Map() };
  const { recipe } = parseRecipe(path, text);
  const scope = buildScope(recipe, target, [], recipeScope(recipe));
  const steps = pinSteps(document, (written) => substituteKnown(written, scope));
  const places = sourceNodes(document)
    .filter(({ place }) => place !== 'test')
    .map((node) => ({ node, folder: folderOf(document, node, scope), paths: new Map<string, string>() }))
    .toSorted((a, b) => b.folder.length - a.folder.length);
  const absent = new Map<string, string>();
  for (const manifest of manifestsOf(steps)) {
    // What lies deepest is there last, or it could not be there.
    const place = places.find(({ folder }) => folder === '.' || manifest.startsWith(`${folder}/`));
    if (manifest.startsWith('..') || place === undefined) absent.set(manifest, 'is in none of the sources');
    else if (place.node.uses === 'fetch') absent.set(manifest, 'is in an archive, which is not looked into');
    else place.paths.set(place.folder === '.' ? manifest : manifest.slice(place.folder.length + 1), manifest);
  }
  const sources = places.flatMap(({ node, paths }) => {
    if (paths.size === 0) return [];
    const source = sourceOf(node, scope, paths);
    if (source !== undefined) return [source];
    for (const manifest of paths.values()) absent.set(manifest, 'is in a source that no commit is pinned of');
    return [];
  });
  return { steps, sources, absent };
}

/** Where a source comes to lie, below the workspace. */
function folderOf(document: RecipeDocument, node: SourceNode, scope: Scope): string {
  const put = (text: string): string => substituteKnown(text, scope);
  const folder = node.with[node.uses === 'fetch' ? 'directory' : 'destination'];
  return placeBelow(workingDirectory(document, node.path, put), put(folder ?? '.'));
}

function sourceOf(
  { with: inputs }: SourceNode,
  scope: Scope,
  paths: ReadonlyMap<string, string>,
): ManifestSource | undefined {
  const input = (key: string): string => substituteKnown(inputs[key] ?? '', scope);
  const [repository, commit, tag, branch] = ['repository', 'expected-commit', 'tag', 'branch'].map(input);
  if (repository === undefined || repository === '' || !/^[0-9a-f]{40,64}$/.test(commit ?? '')) return undefined;
  return {
    repository,
    commit: commit ?? '',
    paths,
    ...(tag === undefined || tag === '' ? {} : { tag }),
    ...(branch === undefined || branch === '' ? {} : { branch }),
  };
}
