import { RegrowError } from '../errors.ts';
import { parseRecipe } from '../model/recipe/recipe.ts';
import { type Scope, substitute } from '../model/recipe/substitute.ts';
import { buildScope, recipeScope } from '../model/recipe/variables.ts';
import type { Target } from '../model/target.ts';
import { bumpRecipe, type HashEdit } from './edit-recipe.ts';
import { editImpossible, readRecipeDocument } from './recipe-document.ts';
import { type Pin, type SourceNode, sourcesToPin } from './source-nodes.ts';

/** A source at its new version: where it is, and which pins of the recipe its hash goes into. */
export type SourceToResolve = { readonly pins: readonly Pin[]; readonly line: number } & (
  | { readonly uses: 'fetch'; readonly url: string }
  | { readonly uses: 'git-checkout'; readonly repository: string; readonly ref: GitRefWanted }
);

/** Without tag or branch a checkout is of what the remote's HEAD names. */
export type GitRefWanted = { readonly tag: string } | { readonly branch: string } | { readonly head: true };

/** What a source turned out to be, lower-case hex. */
export interface ResolvedHashes {
  readonly sha256?: string;
  readonly sha512?: string;
  readonly commit?: string;
}

/**
 * The sources that have to be looked up to bump a recipe to `version`, with every variable put in as it will be then.
 * One target is enough: where an address differs by architecture, so do the steps, and each has its own pin.
 * Throws recipe.malformed, recipe.version-invalid, recipe.pattern-invalid, recipe.variable-unknown.
 */
export function sourcesForVersion(
  path: string,
  text: string,
  version: string,
  target: Target,
): readonly SourceToResolve[] {
  const { recipe } = parseRecipe(path, bumpRecipe(text, { version, hashes: [] }));
  const scope = buildScope(recipe, target, [], recipeScope(recipe));
  return sourcesToPin(readRecipeDocument(text)).map((node) => resolveSource(node, scope, recipe.package.name, path));
}

/**
 * The edits that pin what was found. Throws recipe.edit-impossible where a pin's kind of hash was not found, or where two
 * sources that share a pin differ.
 */
export function hashEdits(
  found: Iterable<{ readonly source: SourceToResolve; readonly hashes: ResolvedHashes }>,
): readonly HashEdit[] {
  const edits = new Map<string, HashEdit>();
  for (const { source, hashes } of found) {
    for (const { kind, path, value: old } of source.pins) {
      const value = hashes[kind];
      const key = JSON.stringify(path);
      const other = edits.get(key);
      if (value === undefined) throw editImpossible(path, `the ${kind} of its source is not known`, source.line);
      if (other !== undefined && other.value !== value) {
        throw editImpossible(path, 'two sources that differ share it', source.line);
      }
      edits.set(key, { path, old, value });
    }
  }
  return [...edits.values()];
}

function resolveSource(node: SourceNode, scope: Scope, name: string, file: string): SourceToResolve {
  const { line, pins } = node;
  const input = (key: string): string | undefined => {
    const text = node.with[key];
    const where = { package: name, file, line, field: [...node.path, 'with', key].join('.') };
    return text === undefined ? undefined : substitute(text, scope, where);
  };
  const required = (key: string): string => {
    const value = input(key);
    if (value !== undefined && value !== '') return value;
    throw new RegrowError('recipe.malformed', `${file}:${line}: ${node.uses} of ${name} has no ${key}`, {
      package: name,
      file,
      line,
      field: [...node.path, 'with', key].join('.'),
      remedy: `say its ${key}`,
    });
  };
  if (node.uses === 'fetch') return { uses: 'fetch', url: required('uri'), pins, line };
  const tag = input('tag');
  const branch = input('branch');
  const ref = tag !== undefined ? { tag } : branch !== undefined ? { branch } : { head: true as const };
  return { uses: 'git-checkout', repository: required('repository'), ref, pins, line };
}
