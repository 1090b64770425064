/**
 * Replays real updates: `npm run bench:bumps -- FILE.jsonl.gz`. From each recipe's text before, the true new version, and
 * the true new hash of each pin that *our* rules choose, the edit makes the text after. Which pins are edited is never
 * looked up in the text after. The last line is `{ total, identical, expected, expectedIdentical, strayLines }`:
 * identical to the real text after, of all rows and of those that a line edit is known to reproduce; strayLines counts
 * changed lines that are neither version, epoch nor an expected hash. With `--misses` each row that differs is named.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { bumpRecipe, type HashEdit } from '../src/bump/edit-recipe.ts';
import { type NodePath, type RecipeDocument, readRecipeDocument, scalarAt } from '../src/bump/recipe-document.ts';
import { sourcesToPin } from '../src/bump/source-nodes.ts';

const hashLine = z.object({ line: z.number(), key: z.string(), value: z.string() });
const rowSchema = z.object({
  commit: z.string(),
  file: z.string(),
  to: z.object({ version: z.string() }),
  hashes: z.object({ before: z.array(hashLine), after: z.array(hashLine) }),
  lineEditReproducesIt: z.boolean(),
  before: z.string(),
  after: z.string(),
});
type Row = z.infer<typeof rowSchema>;

/** The lines that an update may touch. */
const editable = /^\s*(?:-\s+)?(?:version|epoch|expected-sha256|expected-sha512|expected-commit):/;

/** Undefined, and says why, where the edit refuses: a real update may set a version that apk cannot read. */
function replay(row: Row): string | undefined {
  try {
    return bump(row);
  } catch (error) {
    process.stderr.write(`${row.file} ${row.to.version}: ${String(error)}\n`);
    return undefined;
  }
}

function bump(row: Row): string {
  const recipe = readRecipeDocument(row.before);
  const pins = sourcesToPin(recipe).flatMap((source) => source.pins);
  const hashes = pins.flatMap(({ path, value: old }): HashEdit[] => {
    const line = lineOf(recipe, path);
    const at = row.hashes.before.findIndex((hash) => hash.line === line && hashValue(hash.value) === old);
    const value = hashValue(row.hashes.after[at]?.value);
    return value === undefined ? [] : [{ path, old, value }];
  });
  return bumpRecipe(row.before, { version: row.to.version, hashes });
}

/** Line (from 1) where the value at a path starts. */
function lineOf(recipe: RecipeDocument, path: NodePath): number {
  return recipe.lines.linePos(scalarAt(recipe, path).range[0]).line;
}

/** Hash lines are recorded as they stand, with their quotes; what is not a hash there cannot be set by our edit. */
function hashValue(recorded: string | undefined): string | undefined {
  const value = recorded?.replace(/^(["'])(.*)\1$/, '$2');
  return value !== undefined && /^[0-9a-f]+$/.test(value) ? value : undefined;
}

/** Changed lines that are none of the keys that an update may touch. */
function strayLines(before: string, after: string): number {
  const [old, now] = [before, after].map((text) => text.split('\n').filter((line) => !editable.test(line)));
  if (old === undefined || now === undefined) return 0;
  const changed = old.filter((line, i) => line !== now[i]).length;
  return Math.max(changed, Math.abs(old.length - now.length));
}

function readRows(file: string): readonly Row[] {
  const text = gunzipSync(readFileSync(file)).toString('utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => rowSchema.parse(JSON.parse(line)));
}

const { values, positionals } = parseArgs({ options: { misses: { type: 'boolean' } }, allowPositionals: true });
const [file] = positionals;
if (file === undefined) {
  process.stderr.write('usage: npm run bench:bumps -- [--misses] FILE.jsonl.gz\n');
  process.exit(2);
}

const result = { total: 0, identical: 0, expected: 0, expectedIdentical: 0, strayLines: 0 };
for (const row of readRows(file)) {
  const text = replay(row);
  const identical = text === row.after;
  result.total++;
  result.identical += Number(identical);
  result.expected += Number(row.lineEditReproducesIt);
  result.expectedIdentical += Number(row.lineEditReproducesIt && identical);
  result.strayLines += text === undefined ? 0 : strayLines(row.before, text);
  if (!identical && values.misses === true) {
    process.stdout.write(
      `${row.lineEditReproducesIt ? 'expected ' : ''}miss ${row.file} ${row.to.version} ${row.commit}\n`,
    );
  }
}
process.stdout.write(`${JSON.stringify(result)}\n`);
