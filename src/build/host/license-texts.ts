import type { ResolvedRecipe } from '../../model/recipe/resolved.ts';
import type { Workspace } from '../../ports/workspace.ts';
import type { BuildLog } from '../build-log.ts';
import { directories } from './context.ts';

/** Bytes; the longest licences of free software have 150,000. */
const sizeLimit = 1_000_000;

/**
 * The texts of licences that SPDX does not know, by their names (`LicenseRef-…`), from the files that the recipe says they are
 * in (`license-path`, melange's `pkg/config/config.go`); read when the steps are through. What is not there is said in the log.
 * Errors: build.output-unsafe for a path out of the build directory.
 */
export async function readLicenseTexts(
  workspace: Workspace,
  { packages }: ResolvedRecipe,
  log: BuildLog,
): Promise<ReadonlyMap<string, string>> {
  const files = new Map(packages.flatMap(({ licenseFiles = {} }) => Object.entries(licenseFiles)));
  const texts = new Map<string, string>();
  for (const [license, path] of files) {
    const file = `${directories.build}/${path}`;
    const bytes = (await workspace.exists(file)) ? await workspace.read(file, sizeLimit + 1) : undefined;
    if (bytes === undefined) log.say(`the text of ${license} is not there: ${path}`);
    else if (bytes.length > sizeLimit) log.say(`the text of ${license} is longer than ${sizeLimit} bytes: ${path}`);
    else texts.set(license, Buffer.from(bytes).toString('utf8'));
  }
  return texts;
}
