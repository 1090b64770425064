import { RegrowError } from '../../errors.ts';
import { readApk } from '../../formats/apk.ts';
import { buildSizeLimit, checkSize, checkTree } from '../../formats/package-tree.ts';
import { sha256 } from '../../model/canonical.ts';
import type { ResolvedRecipe } from '../../model/recipe/resolved.ts';
import { parseTarget, type TargetName } from '../../model/target.ts';
import type { Workspace } from '../../ports/workspace.ts';
import type { PackagedTree } from '../packaging.ts';
import { directories } from './context.ts';

/**
 * Reads the packages that melange left. It ends with 0 also where it made nothing, so every package of the recipe has to be
 * there; and nothing else, as it would be published otherwise. Errors: build.output-missing, build.output-unsafe,
 * package.malformed.
 */
export async function readOutputs(
  workspace: Workspace,
  resolved: ResolvedRecipe,
  target: TargetName,
): Promise<readonly PackagedTree[]> {
  const folder = `${directories.out}/${parseTarget(target).arch}`;
  const names = (await workspace.exists(folder)) ? await workspace.list(folder) : [];
  const expected = new Map(resolved.packages.map(({ name }) => [`${name}-${resolved.fullVersion}.apk`, name]));
  const missing = [...expected.keys()].filter((file) => !names.includes(file));
  if (missing.length > 0) {
    throw new RegrowError('build.output-missing', `melange ended well and did not make ${missing.join(', ')}`, {
      package: resolved.name,
      remedy:
        'the log says why; it leaves out packages whose `if` does not hold, and architectures that the recipe does not have',
    });
  }
  const strange = names.find((file) => !expected.has(file));
  if (strange !== undefined) {
    throw new RegrowError('build.output-unsafe', `${resolved.name}: ${strange} is no package of the recipe`, {
      package: resolved.name,
      file: strange,
    });
  }
  const files = await workspace.walk(folder);
  for (const file of files) checkSize(resolved.name, [file]);
  checkSize(resolved.name, files, buildSizeLimit, 'all packages of a build together');
  const packages: PackagedTree[] = [];
  for (const file of expected.keys()) packages.push(readOutput(await workspace.read(`${folder}/${file}`), target));
  return packages;
}

/** An unsigned package: the publisher alone signs. What no package may hold is refused here, as the packager does. */
function readOutput(file: Uint8Array, target: TargetName): PackagedTree {
  const apk = readApk(file);
  const { info, control, data, checksum } = apk;
  checkTree(info.name, apk.entries());
  const bytes = Buffer.concat([control, data]);
  return { artifact: { info, target, digest: sha256(bytes), bytes: bytes.length, checksum }, bytes };
}
