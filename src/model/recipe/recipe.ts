import { RegrowError } from '../../errors.ts';
import { isApkVersion } from '../apk-version.ts';
import { type Recipe, recipeSchema } from './recipe-schema.ts';
import { findUnknownKeys } from './unknown-keys.ts';
import { resolveUpdateBlock } from './update-variables.ts';
import { lineAt, readYaml } from './yaml.ts';

export type { PipelineNode } from './pipeline-node.ts';
export type { Recipe, RecipeEnvironment, Subpackage } from './recipe-schema.ts';
export type { UpdateBlock } from './update-block.ts';

/** Something that is not as melange wants it, and that regrow can live with. */
export interface RecipeProblem {
  /** Where, `subpackages.0.dependencies.runtimes`. */
  readonly path: string;
  /** From 1. */
  readonly line?: number;
  readonly message: string;
}

export interface ParsedRecipe {
  /** As it was given, for messages. */
  readonly path: string;
  readonly recipe: Recipe;
  readonly problems: readonly RecipeProblem[];
}

/**
 * Reads a recipe. Versions, epochs' text and variables are what the file says: a plain `1.10` stays `1.10`; only in the
 * `update:` block, which nothing resolves later, are variables put in. Keys that melange does not know are kept and reported as problems. Throws recipe.malformed and recipe.version-invalid, naming file, line
 * and field.
 */
export function parseRecipe(path: string, text: string): ParsedRecipe {
  const value = readYaml(path, text);
  const parsed = recipeSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = issue === undefined || issue.path.length === 0 ? undefined : issue.path.join('.');
    const line = lineAt(text, issue?.path ?? []);
    throw new RegrowError(
      'recipe.malformed',
      `${position(path, line)}: ${field ?? 'the file'}: ${issue?.message ?? 'not a recipe'}`,
      {
        file: path,
        ...(line === undefined ? {} : { line }),
        ...(field === undefined ? {} : { field }),
        remedy: 'correct the field as the melange recipe format asks',
      },
    );
  }
  const recipe = resolveUpdateBlock(parsed.data);
  checkVersion(path, text, recipe);
  const problems: RecipeProblem[] = [];
  findUnknownKeys(recipeSchema, value, (keys) => {
    const line = lineAt(text, keys);
    const key = String(keys.at(-1));
    problems.push({
      path: keys.join('.'),
      ...(line === undefined ? {} : { line }),
      message: `${position(path, line)}: unknown key ${key}; melange refuses a recipe that has it`,
    });
  });
  return { path, recipe, problems };
}

function checkVersion(path: string, text: string, recipe: Recipe): void {
  const { name, version } = recipe.package;
  // `1.1.0-r1` is a version with its epoch; the epoch has its own field.
  if (isApkVersion(version) && !/-r\d+$/.test(version)) return;
  const line = lineAt(text, ['package', 'version']);
  throw new RegrowError(
    'recipe.version-invalid',
    `${position(path, line)}: package.version of ${name}: ${JSON.stringify(version)} is not an apk version`,
    {
      package: name,
      file: path,
      ...(line === undefined ? {} : { line }),
      field: 'package.version',
      remedy: 'write digits separated by dots, an optional letter, and suffixes such as _rc1 or _p2; no epoch',
    },
  );
}

function position(path: string, line: number | undefined): string {
  return line === undefined ? path : `${path}:${line}`;
}
