import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { bumpRecipe, type HashEdit } from '../src/bump/edit-recipe.ts';
import { type NodePath, type RecipeDocument, readRecipeDocument, scalarAt } from '../src/bump/recipe-document.ts';
import { sourcesToPin } from '../src/bump/source-nodes.ts';

const hashLine = z.object({ line: z.number(), key: z.string(), value: z.string() });
/** One real update: a recipe before and after, with its true new version and hashes. */
const rowSchema = z.object({
  commit: z.string(),
  file: z.string(),
  to: z.object({ version: z.string() }),
  hashes: z.object({ before: z.array(hashLine), after: z.array(hashLine) }),
  lineEditReproducesIt: z.boolean(),
  before: z.string(),
  after: z.string(),
});
export type GoldenRow = z.infer<typeof rowSchema>;

export function readGoldenRows(file: string): readonly GoldenRow[] {
  const text = gunzipSync(readFileSync(file)).toString('utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => rowSchema.parse(JSON.parse(line)));
}

/**
 * The recipe at the true new version, with the true new hash of each pin that our rules choose. Undefined, and says why,
 * where the edit refuses: a real update may set a version that apk cannot read.
 */
export function replayBump(row: GoldenRow): string | undefined {
  try {
    return bump(row);
  } catch (error) {
    process.stderr.write(`${row.file} ${row.to.version}: ${String(error)}\n`);
    return undefined;
  }
}

function bump(row: GoldenRow): string {
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
