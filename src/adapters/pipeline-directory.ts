import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toRegrowError } from '../errors.ts';

/** `config/pipelines` of this package; both `src/adapters` and `dist/adapters` lie two folders below its root. */
const builtinDirectory = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'config', 'pipelines');

/**
 * The pipeline files below a folder as text, by the name that `uses:` calls them by (`split/dev`), sorted by it. Left out,
 * the folder is that of the pipelines that come with regrow. A folder that is not there has none.
 */
export async function readPipelineDirectory(
  directory: string = builtinDirectory,
): Promise<ReadonlyMap<string, string>> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile() && entry.name.endsWith('.yaml'))
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => ({ path, name: path.slice(directory.length + 1, -'.yaml'.length) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return new Map(
      await Promise.all(files.map(async ({ path, name }) => [name, await readFile(path, 'utf8')] as const)),
    );
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Map();
    throw toRegrowError(error, { file: directory });
  }
}
