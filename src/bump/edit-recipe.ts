import { isMap, Scalar } from 'yaml';
import { RegrowError } from '../errors.ts';
import {
  applyEdits,
  editImpossible,
  type NodePath,
  nodeAt,
  type RecipeDocument,
  readRecipeDocument,
  scalarAt,
  type TextEdit,
  textAt,
} from './recipe-document.ts';

/** One pinned hash: where it stands, and what it becomes. */
export interface HashEdit {
  readonly path: NodePath;
  /** What has to stand there now; anything else is recipe.edit-impossible. */
  readonly old?: string;
  /** Lower-case hex: sha256, sha512, or a commit. */
  readonly value: string;
}

export interface RecipeEdit {
  /** The new version, without epoch. */
  readonly version: string;
  /** Default: 0 when the version changes, else one more than now. */
  readonly epoch?: number;
  readonly hashes: readonly HashEdit[];
}

const versionPath = ['package', 'version'];
const epochPath = ['package', 'epoch'];

/** How many hex digits each kind of pin has; a commit of a sha256 repository has 64. */
const pinLengths: Readonly<Record<string, readonly number[]>> = {
  'expected-sha256': [64],
  'expected-sha512': [128],
  'expected-commit': [40, 64],
};
const anyPinLength = [40, 64, 128];

/**
 * The recipe at another version: `version: "X"`, the epoch, and the hashes that are given by their place. Everything else
 * keeps its bytes: comments, line ends, the quotes of hashes. (Wolfi's updates always put the version in double quotes.)
 * Whether apk can read the version is asked where it is chosen, and again where its sources are resolved: this is the
 * edit alone, which also has to replay what people once committed.
 * Throws recipe.malformed, recipe.version-invalid, recipe.edit-impossible.
 */
export function bumpRecipe(text: string, edit: RecipeEdit): string {
  if (!/^[\w.+~-]+$/.test(edit.version)) {
    throw new RegrowError('recipe.version-invalid', `${JSON.stringify(edit.version)} cannot be a version`, {
      field: 'package.version',
      remedy: 'give letters, digits and any of . _ + ~ - only',
    });
  }
  const recipe = readRecipeDocument(text);
  const version = scalarAt(recipe, versionPath);
  const epoch = edit.epoch ?? (version.value === edit.version ? currentEpoch(recipe) + 1 : 0);
  return applyEdits(text, [
    { start: version.range[0], end: version.range[1], text: `"${edit.version}"` },
    ...epochEdits(recipe, epoch),
    ...edit.hashes.map((hash) => hashEdit(recipe, hash)),
  ]);
}

/** The recipe with the epoch one higher and nothing else changed: the same sources are built again. */
export function bumpEpoch(text: string): string {
  const recipe = readRecipeDocument(text);
  return applyEdits(text, epochEdits(recipe, currentEpoch(recipe) + 1));
}

/** A recipe that does not say its epoch has epoch 0. */
function currentEpoch(recipe: RecipeDocument): number {
  const text = textAt(recipe, epochPath) ?? '0';
  if (!/^[0-9]+$/.test(text)) throw editImpossible(epochPath, `${JSON.stringify(text)} is not a whole number`);
  return Number(text);
}

function epochEdits(recipe: RecipeDocument, epoch: number): readonly TextEdit[] {
  if (nodeAt(recipe, epochPath) !== undefined) return [replaceInside(scalarAt(recipe, epochPath), String(epoch))];
  return epoch === 0 ? [] : [insertEpoch(recipe, epoch)];
}

/** A line below the version, indented as it is and ended as it is. */
function insertEpoch(recipe: RecipeDocument, epoch: number): TextEdit {
  const { text } = recipe;
  const block = nodeAt(recipe, ['package']);
  if (!isMap(block) || block.flow === true) throw editImpossible(epochPath, 'the package is not written as a block');
  const end = scalarAt(recipe, versionPath).range[1];
  const lineStart = text.lastIndexOf('\n', end) + 1;
  const indent = /^[ ]*/.exec(text.slice(lineStart))?.[0] ?? '';
  const newline = text.indexOf('\n', end);
  const at = newline === -1 ? text.length : newline + 1;
  const eol = text[newline - 1] === '\r' ? '\r\n' : '\n';
  const line = `${indent}epoch: ${epoch}`;
  return { start: at, end: at, text: newline === -1 ? `${eol}${line}` : `${line}${eol}` };
}

function hashEdit(recipe: RecipeDocument, { path, old, value }: HashEdit): TextEdit {
  const node = scalarAt(recipe, path);
  const line = recipe.lines.linePos(node.range[0]).line;
  if (node.value.includes('${{')) throw editImpossible(path, `its value ${node.value} comes from a variable`, line);
  if (old !== undefined && node.value !== old) throw editImpossible(path, `it is ${node.value}, not ${old}`, line);
  const lengths = pinLengths[String(path.at(-1))] ?? anyPinLength;
  if (!/^[0-9a-f]+$/.test(value) || !lengths.includes(value.length)) {
    throw editImpossible(path, `${JSON.stringify(value)} is not a hash of ${lengths.join(' or ')} hex digits`, line);
  }
  // Without quotes, a YAML parser would read a hash such as 12345e678… as a number.
  const quote = node.type === Scalar.PLAIN && /^[0-9]+(e[0-9]+)?$/.test(value);
  return replaceInside(node, quote ? `"${value}"` : value);
}

/** Replaces what a scalar says and keeps its quotes. */
function replaceInside(node: Scalar.Parsed, value: string): TextEdit {
  const [start, end] = node.range;
  if (node.type === Scalar.QUOTE_DOUBLE || node.type === Scalar.QUOTE_SINGLE) {
    return { start: start + 1, end: end - 1, text: value };
  }
  return { start, end, text: value };
}
