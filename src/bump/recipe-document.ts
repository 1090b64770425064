import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, Scalar } from 'yaml';
import { RegrowError } from '../errors.ts';

/** Where a node is: keys of mappings and positions in lists, `['pipeline', 0, 'with', 'expected-commit']`. */
export type NodePath = readonly (string | number)[];

/** A recipe's text with its syntax tree. Every scalar is text (`1.10` stays `1.10`), every node knows its place. */
export interface RecipeDocument {
  readonly text: string;
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

/** A part of the text and what is put there. */
export interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Throws recipe.malformed with the line. */
export function readRecipeDocument(text: string): RecipeDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: 'failsafe', lineCounter: lines, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) {
    throw new RegrowError('recipe.malformed', `not YAML: ${error.message}`, {
      line: lines.linePos(error.pos[0]).line,
      cause: error,
    });
  }
  return { text, document, lines };
}

/** The node at a path; undefined where there is none. Aliases are not followed: editing one would edit another place. */
export function nodeAt(recipe: RecipeDocument, path: NodePath): Node | undefined {
  let node: unknown = recipe.document.contents;
  for (const step of path) {
    if (isMap(node)) node = node.get(String(step), true);
    else if (isSeq(node) && typeof step === 'number') node = node.get(step, true);
    else return undefined;
  }
  return isMap(node) || isSeq(node) || isScalar(node) ? node : undefined;
}

/** The text of the scalar at a path; undefined where there is none. */
export function textAt(recipe: RecipeDocument, path: NodePath): string | undefined {
  const node = nodeAt(recipe, path);
  return isScalar(node) && typeof node.value === 'string' ? node.value : undefined;
}

/** The scalar at a path and where it stands. Throws recipe.edit-impossible where it is missing or fills several lines. */
export function scalarAt(recipe: RecipeDocument, path: NodePath): Scalar.Parsed & { readonly value: string } {
  const node = nodeAt(recipe, path);
  if (!isScalar(node) || typeof node.value !== 'string' || !isParsed(node)) {
    throw editImpossible(path, 'there is no such value in the recipe');
  }
  if (node.type === Scalar.BLOCK_FOLDED || node.type === Scalar.BLOCK_LITERAL || spansLines(recipe.text, node)) {
    throw editImpossible(path, 'the value is written over several lines', recipe.lines.linePos(node.range[0]).line);
  }
  return node as Scalar.Parsed & { readonly value: string };
}

/** Puts edits into the text; everything between them keeps its bytes. */
export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  let result = '';
  let at = 0;
  for (const edit of edits.toSorted((a, b) => a.start - b.start)) {
    if (edit.start < at) throw new RegrowError('recipe.edit-impossible', 'two edits of the same value');
    result += text.slice(at, edit.start) + edit.text;
    at = edit.end;
  }
  return result + text.slice(at);
}

export function editImpossible(path: NodePath, why: string, line?: number): RegrowError {
  const field = path.join('.');
  return new RegrowError('recipe.edit-impossible', `cannot edit ${field}: ${why}`, {
    field,
    ...(line === undefined ? {} : { line }),
    remedy: `write ${field} as a plain or quoted value on one line, or make this update by hand`,
  });
}

function isParsed(node: Scalar): node is Scalar.Parsed {
  return Array.isArray(node.range);
}

function spansLines(text: string, node: Scalar.Parsed): boolean {
  return text.slice(node.range[0], node.range[1]).includes('\n');
}
