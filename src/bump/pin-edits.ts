import { isMap, isScalar, type Pair, Scalar } from 'yaml';
import { type DependencyPin, type PinStep, pinSteps } from './dependency-pins.ts';
import {
  applyEdits,
  editImpossible,
  nodeAt,
  type RecipeDocument,
  readRecipeDocument,
  type TextEdit,
} from './recipe-document.ts';

/** A pin that goes, or gets another version. */
export interface PinEdit {
  readonly pin: DependencyPin;
  /** The version that it is raised to; without one, the pin goes. */
  readonly to?: string;
}

/**
 * The recipe with pins taken away or raised; everything else keeps its bytes. With the last pin of a key the key goes, with
 * the last of a step the step, each with the comment right above it. `edits` hold pins of this text (`pinSteps`).
 * Throws recipe.malformed, and recipe.edit-impossible where a step is written so that nothing can be taken from it.
 */
export function editPins(text: string, edits: readonly PinEdit[]): string {
  const recipe = readRecipeDocument(text);
  const byStart = new Map(edits.map((edit) => [edit.pin.start, edit]));
  const touched = pinSteps(recipe).filter(({ pins }) => pins.some((pin) => byStart.has(pin.start)));
  for (const { path, fixed, line } of touched) if (fixed !== undefined) throw editImpossible(path, fixed, line);
  const gone = touched.filter((step) => step.pins.every((pin) => isGone(byStart, pin)) && !namesFile(recipe, step));
  const others = touched.filter((step) => !gone.includes(step));
  const edited = applyEdits(text, [
    ...runs(
      text,
      gone.map((step) => linesOf(recipe, step)),
    ).map((run) => withBlank(text, run)),
    ...others.flatMap((step) => pinEditsOf(recipe, step, byStart)),
  ]);
  checkEdited(recipe, edited, byStart);
  return edited;
}

/** An edit by position that took more or less than it was to take would be found by nobody. */
function checkEdited(recipe: RecipeDocument, edited: string, edits: ReadonlyMap<number, PinEdit>): void {
  const wanted = allPins(recipe).flatMap((pin) => {
    const edit = edits.get(pin.start);
    if (edit === undefined) return [pin.text];
    return edit.to === undefined ? [] : [raisedText(pin, edit.to)];
  });
  const left = allPins(readRecipeDocument(edited)).map((pin) => pin.text);
  if (wanted.join(' ') !== left.join(' ')) throw editImpossible(['pipeline'], 'its pins are not where they seem to be');
}

function allPins(recipe: RecipeDocument): readonly DependencyPin[] {
  return pinSteps(recipe).flatMap((step) => step.pins);
}

/** What changes in a step that stays. */
function pinEditsOf(recipe: RecipeDocument, step: PinStep, edits: ReadonlyMap<number, PinEdit>): readonly TextEdit[] {
  const inputs = new Set(step.pins.map((pin) => pin.input));
  return [...inputs].flatMap((input) => {
    const pins = step.pins.filter((pin) => pin.input === input);
    const found = pins.flatMap((pin) => edits.get(pin.start) ?? []);
    if (found.length === pins.length && found.every(({ to }) => to === undefined)) {
      return [keyRemoval(recipe, step, input)];
    }
    const raises = found.flatMap(({ pin, to }) => (to === undefined ? [] : [raise(pin, to)]));
    return [...raises, ...wordRemovals(recipe, step, pins, (pin) => isGone(edits, pin))];
  });
}

function isGone(edits: ReadonlyMap<number, PinEdit>, pin: DependencyPin): boolean {
  return edits.has(pin.start) && edits.get(pin.start)?.to === undefined;
}

/** Keys of `with` that name a file of pins, which are not taken away with those in the recipe. */
const fileInputs = ['properties', 'bump-file', 'patch-file', 'properties-file'];

/** Whether the step has more to do than what its pins say. */
function namesFile(recipe: RecipeDocument, step: PinStep): boolean {
  const own = new Set(step.pins.map((pin) => pin.input));
  return ['deps', ...fileInputs].some(
    (key) => !own.has(key) && nodeAt(recipe, [...step.path, 'with', key]) !== undefined,
  );
}

function raise(pin: DependencyPin, to: string): TextEdit {
  return { start: pin.start, end: pin.end, text: raisedText(pin, to) };
}

function raisedText({ text, means }: DependencyPin, to: string): string {
  return means === undefined ? text : text.replace(`@${means.version}`, `@${to}`);
}

/** Part of a text, in whole lines. */
interface Lines {
  readonly start: number;
  readonly end: number;
}

function linesOf(recipe: RecipeDocument, step: PinStep): Lines {
  const { text } = recipe;
  const range = nodeAt(recipe, step.path)?.range;
  const dash = /-\s*$/.exec(text.slice(0, range?.[0] ?? 0));
  if (range === null || range === undefined || dash === null) {
    throw editImpossible(step.path, 'its step does not begin as others do', step.line);
  }
  return { start: withComment(text, lineStart(text, dash.index)), end: lineEnd(text, lastWord(text, range[1])) };
}

/** Lines that only blank ones keep apart, as one. */
function runs(text: string, steps: readonly Lines[]): readonly Lines[] {
  const found: Lines[] = [];
  for (const step of steps.toSorted((a, b) => a.start - b.start)) {
    const last = found.at(-1);
    if (last !== undefined && text.slice(last.end, step.start).trim() === '') {
      found[found.length - 1] = { start: last.start, end: step.end };
    } else found.push(step);
  }
  return found;
}

/** Without what set them apart: the blank lines above, or those below where there are none above. */
function withBlank(text: string, { start, end }: Lines): TextEdit {
  const above = blankAbove(text, start);
  return { start: above, end: above === start ? blankBelow(text, end) : end, text: '' };
}

/** A key of `with` and all that is written under it. */
function keyRemoval(recipe: RecipeDocument, step: PinStep, input: string): TextEdit {
  const { text } = recipe;
  const pair = pairOf(recipe, step, input);
  const [key, value] = [rangeOf(pair.key), rangeOf(pair.value)];
  if (key === undefined || value === undefined) throw editImpossible(step.path, `there is no ${input}`, step.line);
  const start = withComment(text, lineStart(text, key[0]));
  return { start, end: lineEnd(text, lastWord(text, value[1])), text: '' };
}

/** Some pins of a key, not all: of a block, lines as a whole where none on them stays. */
function wordRemovals(
  recipe: RecipeDocument,
  step: PinStep,
  pins: readonly DependencyPin[],
  isGone: (pin: DependencyPin) => boolean,
): readonly TextEdit[] {
  const { text } = recipe;
  const value = pairOf(recipe, step, pins[0]?.input ?? '').value as Scalar.Parsed;
  if (value.type !== Scalar.BLOCK_LITERAL && value.type !== Scalar.BLOCK_FOLDED) return amongOthers(pins, isGone);
  const lines = new Map<number, DependencyPin[]>();
  for (const pin of pins) {
    const start = lineStart(text, pin.start);
    lines.set(start, [...(lines.get(start) ?? []), pin]);
  }
  return [...lines].flatMap(([start, words]) =>
    words.every(isGone) ? [{ start, end: lineEnd(text, start), text: '' }] : amongOthers(words, isGone),
  );
}

/** Words that go with the space before them; those before the first that stays, with the space behind them. */
function amongOthers(words: readonly DependencyPin[], isGone: (pin: DependencyPin) => boolean): readonly TextEdit[] {
  const firstStays = words.findIndex((word) => !isGone(word));
  return words.flatMap((word, i): TextEdit[] => {
    if (!isGone(word)) return [];
    if (i < firstStays) return [{ start: word.start, end: words[i + 1]?.start ?? word.end, text: '' }];
    return [{ start: words[i - 1]?.end ?? word.start, end: word.end, text: '' }];
  });
}

function pairOf(recipe: RecipeDocument, step: PinStep, input: string): Pair {
  const inputs = nodeAt(recipe, [...step.path, 'with']);
  const pair = isMap(inputs) ? inputs.items.find(({ key }) => isScalar(key) && String(key.value) === input) : undefined;
  if (pair === undefined) throw editImpossible([...step.path, 'with', input], 'it is not there', step.line);
  return pair;
}

function rangeOf(node: unknown): readonly [number, number, number] | undefined {
  return isScalar(node) ? (node.range ?? undefined) : undefined;
}

function lineStart(text: string, at: number): number {
  return text.lastIndexOf('\n', at - 1) + 1;
}

/** Behind the line's end. */
function lineEnd(text: string, at: number): number {
  const newline = text.indexOf('\n', at);
  return newline === -1 ? text.length : newline + 1;
}

/** The last character of what ends at `end`, without the blank lines that a block takes with it. */
function lastWord(text: string, end: number): number {
  return text.slice(0, end).trimEnd().length - 1;
}

/** Up to the first of the comment lines that stand right above, as far indented. */
function withComment(text: string, start: number): number {
  const indent = /^ */.exec(text.slice(start))?.[0] ?? '';
  let at = start;
  while (at > 0) {
    const above = lineStart(text, at - 1);
    if (!text.slice(above, at).startsWith(`${indent}#`)) break;
    at = above;
  }
  return at;
}

function blankAbove(text: string, start: number): number {
  let at = start;
  while (at > 0) {
    const above = lineStart(text, at - 1);
    if (text.slice(above, at).trim() !== '') break;
    at = above;
  }
  return at;
}

function blankBelow(text: string, end: number): number {
  let at = end;
  while (at < text.length) {
    const below = lineEnd(text, at);
    if (text.slice(at, below).trim() !== '') break;
    at = below;
  }
  return at;
}
