import { posix } from 'node:path';
import { isMap, isScalar, isSeq, Scalar } from 'yaml';
import { workDirectory } from '../model/recipe/variables.ts';
import { type NodePath, nodeAt, type RecipeDocument, textAt } from './recipe-document.ts';

/** What a pin is written for; each has its own manifest and its own order of versions. */
export type Ecosystem = 'go' | 'cargo' | 'maven';

/** One dependency that a recipe raises above what upstream asks for: `golang.org/x/crypto@v0.45.0`. */
export interface DependencyPin {
  /** As it stands in the recipe. */
  readonly text: string;
  /** Where it stands in the recipe's text. */
  readonly start: number;
  readonly end: number;
  /** The key of `with` that it stands under. */
  readonly input: string;
  /** Undefined where it is written in a way that regrow does not read, or is the name of a file of pins. */
  readonly means: PinMeaning | undefined;
}

export interface PinMeaning {
  readonly ecosystem: Ecosystem;
  /** Module path, crate, or `group:artifact`. */
  readonly name: string;
  readonly version: string;
  /** Of `module=replacement@version`, the module that takes its place; it may be the same. */
  readonly by?: string;
}

/** A step that pins dependencies: `bump` of Wolfi, and the three that were there before it. */
export interface PinStep {
  readonly path: NodePath;
  readonly line: number;
  /** Folders of the projects it works on, below the workspace: `.`, `api/tools`. */
  readonly roots: readonly string[];
  /** The pom, below the workspace, where it is not the `pom.xml` of each project. */
  readonly pom?: string;
  readonly pins: readonly DependencyPin[];
  /** Why none of its pins can be edited by position. */
  readonly fixed?: string;
}

const pinPipelines = new Set(['bump', 'go/bump', 'rust/cargobump', 'maven/pombump']);
/** Keys of `with` that hold pins; `deps` may also name a file. */
const pinInputs = ['deps', 'packages', 'replaces', 'dependencies'];

/** Reads `${{…}}`; gives back what it cannot. */
export type Substitute = (text: string) => string;

/** Every step that pins dependencies, with its pins, in the order of the text. */
export function pinSteps(recipe: RecipeDocument, substitute: Substitute = (text) => text): readonly PinStep[] {
  const pipelines: NodePath[] = [['pipeline']];
  const subpackages = nodeAt(recipe, ['subpackages']);
  if (isSeq(subpackages)) {
    for (const i of subpackages.items.keys()) pipelines.push(['subpackages', i, 'pipeline']);
  }
  return pipelines.flatMap((path) => stepsIn(recipe, path, substitute)).toSorted((a, b) => a.line - b.line);
}

function stepsIn(recipe: RecipeDocument, pipeline: NodePath, substitute: Substitute): readonly PinStep[] {
  const steps = nodeAt(recipe, pipeline);
  if (!isSeq(steps)) return [];
  return [...steps.items.keys()].flatMap((i) => {
    const path = [...pipeline, i];
    const step = isPinStep(recipe, path) ? stepAt(recipe, path, substitute) : undefined;
    return [...(step === undefined ? [] : [step]), ...stepsIn(recipe, [...path, 'pipeline'], substitute)];
  });
}

function isPinStep(recipe: RecipeDocument, path: NodePath): boolean {
  return pinPipelines.has(textAt(recipe, [...path, 'uses']) ?? '');
}

function stepAt(recipe: RecipeDocument, path: NodePath, substitute: Substitute): PinStep | undefined {
  const node = nodeAt(recipe, path);
  const inputs = nodeAt(recipe, [...path, 'with']);
  if (!isMap(node) || !isMap(inputs) || node.range === null || node.range === undefined) return undefined;
  const pins = pinInputs.flatMap((input) => pinsOf(recipe, [...path, 'with', input], input));
  if (pins.length === 0) return undefined;
  const list = nodeAt(recipe, path.slice(0, -1));
  const isAlone = isSeq(list) && list.items.every((_, i) => isPinStep(recipe, [...path.slice(0, -1), i]));
  const isFlow = node.flow === true || inputs.flow === true || (isSeq(list) && list.flow === true);
  const directory = workingDirectory(recipe, path, substitute);
  const input = (key: string, otherwise: string): string => {
    const text = substitute(textAt(recipe, [...path, 'with', key]) ?? '').trim();
    return text === '' ? otherwise : text;
  };
  const pom = input('manifest', '');
  return {
    path,
    line: recipe.lines.linePos(node.range[0]).line,
    // One folder a line (`pipelines/bump.yaml` of Wolfi).
    roots: input('modroot', '.')
      .split('\n')
      .flatMap((root) => (root.trim() === '' ? [] : [placeBelow(directory, root.trim())])),
    ...(pom === '' ? {} : { pom: placeBelow(directory, pom) }),
    pins,
    ...(isFlow ? { fixed: 'its step is written on one line' } : {}),
    ...(isAlone && !isFlow ? { fixed: 'its pipeline would have no step left' } : {}),
  };
}

/** The nearest `working-directory` of a step or of those that it is nested in, below the workspace. */
export function workingDirectory(recipe: RecipeDocument, path: NodePath, substitute: Substitute): string {
  for (let end = path.length; end > 0; end -= 1) {
    const written = textAt(recipe, [...path.slice(0, end), 'working-directory']);
    if (written !== undefined) return placeBelow('.', substitute(written));
  }
  return '.';
}

/** A place in the workspace as a path below it. Above it, it starts with `..`. */
export function placeBelow(directory: string, path: string): string {
  const absolute = posix.resolve(workDirectory, directory, path);
  return posix.relative(workDirectory, absolute) || '.';
}

function pinsOf(recipe: RecipeDocument, path: NodePath, input: string): readonly DependencyPin[] {
  const node = nodeAt(recipe, path);
  if (!isScalar(node) || typeof node.value !== 'string' || !Array.isArray(node.range)) return [];
  const words = wordsIn(recipe.text, node as Scalar.Parsed);
  return words.map((word) => ({ ...word, input, means: meaningOf(word.text, input) }));
}

/** Words of a scalar and where each stands; `#` starts a comment, which the pipelines strip themselves. */
function wordsIn(source: string, node: Scalar.Parsed): readonly { text: string; start: number; end: number }[] {
  const { start, end } = contentOf(source, node);
  const words: { text: string; start: number; end: number }[] = [];
  let at = start;
  for (const line of source.slice(start, end).split('\n')) {
    const content = line.replace(/(?:^|\s)#[^]*$/, '');
    for (const match of content.matchAll(/\S+/g)) {
      const from = at + match.index;
      words.push({ text: match[0], start: from, end: from + match[0].length });
    }
    at += line.length + 1;
  }
  return words;
}

/** Where the content of a scalar stands, without quotes or the header of a block. */
function contentOf(source: string, node: Scalar.Parsed): { readonly start: number; readonly end: number } {
  const [start, end] = node.range;
  if (node.type === Scalar.QUOTE_DOUBLE || node.type === Scalar.QUOTE_SINGLE) return { start: start + 1, end: end - 1 };
  if (node.type !== Scalar.BLOCK_LITERAL && node.type !== Scalar.BLOCK_FOLDED) return { start, end };
  const header = source.indexOf('\n', start);
  return { start: header === -1 ? end : header + 1, end };
}

/** `m@v1` (Go), `c@1.2.3` (Rust), `group@artifact@1.2` (Maven); `m=by@v1` under `replaces`. */
function meaningOf(text: string, input: string): PinMeaning | undefined {
  if (text.includes('${{') || text.includes('\\')) return undefined;
  if (input === 'replaces') {
    const [, name, by, version] = /^([^\s=@]+)=([^\s=@]+)@(v\d[^\s@=]*)$/.exec(text) ?? [];
    if (name === undefined || by === undefined || version === undefined) return undefined;
    return { ecosystem: 'go', name, by, version };
  }
  const [, module, goVersion] = /^([^\s@=]+)@(v\d[^\s@=]*)$/.exec(text) ?? [];
  if (module !== undefined && goVersion !== undefined) return { ecosystem: 'go', name: module, version: goVersion };
  const [, crate, crateVersion] = /^([A-Za-z][\w-]*)@(\d[^\s@=]*)$/.exec(text) ?? [];
  if (crate !== undefined && crateVersion !== undefined) {
    return { ecosystem: 'cargo', name: crate, version: crateVersion };
  }
  const [, group, artifact, version] = /^([^\s@=]+)@([^\s@=]+)@(\d[^\s@=]*)(?:@[\w-]+){0,2}$/.exec(text) ?? [];
  if (group === undefined || artifact === undefined || version === undefined) return undefined;
  return { ecosystem: 'maven', name: `${group}:${artifact}`, version };
}
