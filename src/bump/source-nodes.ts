import { isMap, isScalar, isSeq, type YAMLMap } from 'yaml';
import { type NodePath, nodeAt, type RecipeDocument, textAt } from './recipe-document.ts';

/** A hash that a recipe pins for one of its sources. */
export interface Pin {
  readonly kind: 'sha256' | 'sha512' | 'commit';
  /** Where the hash itself stands: at `expected-…`, or at the entry of `vars` that this names. */
  readonly path: NodePath;
  readonly value: string;
}

/** A `fetch` or `git-checkout` step, as the recipe writes it: nothing is put in for `${{…}}`. */
export interface SourceNode {
  readonly uses: 'fetch' | 'git-checkout';
  /** The main pipeline, a subpackage's, or a test's. */
  readonly place: 'main' | 'subpackage' | 'test';
  /** The step. */
  readonly path: NodePath;
  readonly line: number;
  readonly with: Readonly<Record<string, string>>;
  /** The hashes that can be set; one that comes from elsewhere (a range, a computed variable) is not among them. */
  readonly pins: readonly Pin[];
}

const pinKinds = { 'expected-sha256': 'sha256', 'expected-sha512': 'sha512', 'expected-commit': 'commit' } as const;

/** Every source of a recipe, in the order of the text, also those in nested pipelines. */
export function sourceNodes(recipe: RecipeDocument): readonly SourceNode[] {
  const found = [
    ...pipelineSources(recipe, ['pipeline'], 'main'),
    ...pipelineSources(recipe, ['test', 'pipeline'], 'test'),
  ];
  const subpackages = nodeAt(recipe, ['subpackages']);
  if (isSeq(subpackages)) {
    for (const i of subpackages.items.keys()) {
      found.push(...pipelineSources(recipe, ['subpackages', i, 'pipeline'], 'subpackage'));
      found.push(...pipelineSources(recipe, ['subpackages', i, 'test', 'pipeline'], 'test'));
    }
  }
  return found.toSorted((a, b) => a.line - b.line);
}

/**
 * The sources whose hashes a new version changes. Of the main pipeline: every fetch, and the git-checkout where it is the
 * only one; of several, those whose tag follows the version (melange `pkg/renovate/bump`). Anywhere else, where melange
 * never looks: those whose tag or address follows the version, because their pin is wrong as soon as the version is new.
 */
export function sourcesToPin(recipe: RecipeDocument): readonly SourceNode[] {
  const nodes = sourceNodes(recipe);
  const following = versionVariables(recipe);
  const checkouts = nodes.filter((node) => node.place === 'main' && node.uses === 'git-checkout');
  return nodes.filter((node) => {
    if (node.pins.length === 0) return false;
    if (node.place === 'main' && (node.uses === 'fetch' || checkouts.length === 1)) return true;
    return [node.with['tag'], node.with['uri']].some((text) => mentions(text, following));
  });
}

/** `package.version` and what is computed from it: variables and transforms, however many steps away. */
function versionVariables(recipe: RecipeDocument): ReadonlySet<string> {
  const following = new Set(['package.version', 'package.full-version']);
  const definitions = [...transforms(recipe), ...variables(recipe)];
  let size = 0;
  while (size !== following.size) {
    size = following.size;
    for (const { name, from } of definitions) if (mentions(from, following)) following.add(`vars.${name}`);
  }
  return following;
}

function transforms(recipe: RecipeDocument): readonly { readonly name: string; readonly from: string }[] {
  const list = nodeAt(recipe, ['var-transforms']);
  if (!isSeq(list)) return [];
  return [...list.items.keys()].flatMap((i) => {
    const name = textAt(recipe, ['var-transforms', i, 'to']);
    const from = textAt(recipe, ['var-transforms', i, 'from']);
    return name === undefined || from === undefined ? [] : [{ name, from }];
  });
}

function variables(recipe: RecipeDocument): readonly { readonly name: string; readonly from: string }[] {
  return Object.entries(scalarsOf(nodeAt(recipe, ['vars']))).map(([name, from]) => ({ name, from }));
}

function mentions(text: string | undefined, names: ReadonlySet<string>): boolean {
  return references(text ?? '').some((name) => names.has(name));
}

function references(text: string): readonly string[] {
  return Array.from(text.matchAll(/\$\{\{\s*([^\s}]+)\s*\}\}/g), ([, name = '']) => name);
}

function pipelineSources(recipe: RecipeDocument, path: NodePath, place: SourceNode['place']): readonly SourceNode[] {
  const steps = nodeAt(recipe, path);
  if (!isSeq(steps)) return [];
  return [...steps.items.keys()].flatMap((i) => {
    const step = [...path, i];
    const source = sourceAt(recipe, step, place);
    return [...(source === undefined ? [] : [source]), ...pipelineSources(recipe, [...step, 'pipeline'], place)];
  });
}

function sourceAt(recipe: RecipeDocument, path: NodePath, place: SourceNode['place']): SourceNode | undefined {
  const uses = textAt(recipe, [...path, 'uses']);
  const inputs = nodeAt(recipe, [...path, 'with']);
  const start = nodeAt(recipe, path)?.range?.[0];
  if ((uses !== 'fetch' && uses !== 'git-checkout') || !isMap(inputs) || start === undefined) return undefined;
  return {
    uses,
    place,
    path,
    line: recipe.lines.linePos(start).line,
    with: scalarsOf(inputs),
    pins: pinsOf(recipe, [...path, 'with'], inputs),
  };
}

function pinsOf(recipe: RecipeDocument, path: NodePath, inputs: YAMLMap): readonly Pin[] {
  return Object.entries(pinKinds).flatMap(([key, kind]) => {
    if (!inputs.has(key)) return [];
    const place = literalPlace(recipe, [...path, key]);
    const value = place === undefined ? undefined : textAt(recipe, place);
    return place === undefined || value === undefined ? [] : [{ kind, path: place, value }];
  });
}

/** Where a pin's digits stand: here, or in the variable that is all it names; undefined when it is computed. */
function literalPlace(recipe: RecipeDocument, path: NodePath): NodePath | undefined {
  const value = textAt(recipe, path) ?? '';
  if (!value.includes('${{')) return path;
  const [name, ...others] = references(value);
  if (name === undefined || others.length > 0 || !/^\$\{\{[^}]*\}\}$/.test(value)) return undefined;
  const variable = ['vars', name.replace(/^vars\./, '')];
  return name.startsWith('vars.') && isHash(textAt(recipe, variable)) ? variable : undefined;
}

function isHash(text: string | undefined): boolean {
  return text !== undefined && /^(?:[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128})$/.test(text);
}

function scalarsOf(node: unknown): Readonly<Record<string, string>> {
  if (!isMap(node)) return {};
  return Object.fromEntries(
    node.items.flatMap(({ key, value }) =>
      isScalar(key) && isScalar(value) && typeof value.value === 'string' ? [[String(key.value), value.value]] : [],
    ),
  );
}
