import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RegrowError } from '../errors.ts';

/** One recipe as it lies in a folder. */
export interface RecipeText {
  /** Path below the folder. */
  readonly path: string;
  readonly text: string;
  /** sha256 of the bytes, base64url. */
  readonly digest: string;
}

export interface RecipeDirectory {
  /** `*.yaml` directly in the folder, sorted by path. */
  readonly recipes: readonly RecipeText[];
  /** `pipelines/**.yaml`, by the name that `uses:` calls them by. */
  readonly pipelines: ReadonlyMap<string, string>;
}

/**
 * Reads a folder of recipes as distributions keep it. Synchronous: thousands of small files are read several times as fast
 * that way, and it is for commands, not for the daemon, which reads recipes from git. Throws config.invalid where the folder
 * is not there, and storage.failed where a file cannot be read.
 */
export function readRecipeDirectory(directory: string): RecipeDirectory {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new RegrowError('config.invalid', `${directory} is not a folder of recipes`, {
      field: 'recipes',
      remedy: 'name the folder that holds NAME.yaml for each package',
    });
  }
  try {
    const recipes = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => isYaml(entry.name) && !entry.isDirectory())
      .map(({ name }) => name)
      .toSorted()
      .map((path) => {
        const bytes = readFileSync(join(directory, path));
        return { path, text: bytes.toString('utf8'), digest: createHash('sha256').update(bytes).digest('base64url') };
      });
    return { recipes, pipelines: readPipelines(join(directory, 'pipelines')) };
  } catch (cause) {
    throw new RegrowError('storage.failed', `the recipes in ${directory} cannot be read`, {
      retry: 'later',
      remedy: 'check that the files are there and readable',
      cause,
    });
  }
}

/** Pipelines of a folder by name, sorted; none where the folder is not there. */
export function readPipelines(directory: string): ReadonlyMap<string, string> {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) return new Map();
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(isYaml).toSorted();
  return new Map(
    paths.map((path) => [path.replace(/\.ya?ml$/, ''), readFileSync(join(directory, path), 'utf8')] as const),
  );
}

function isYaml(path: string): boolean {
  return /\.ya?ml$/.test(path) && !path.split('/').some((part) => part.startsWith('.'));
}
