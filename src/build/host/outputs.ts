import { RegrowError } from '../../errors.ts';
import { buildSizeLimit, checkSize } from '../../formats/package-tree.ts';
import type { BuildRequest } from '../../model/build.ts';
import type { ResolvedRecipe, ResolvedStep } from '../../model/recipe/resolved.ts';
import type { Workspace } from '../../ports/workspace.ts';
import { type PackagedTree, type PackageTree, type PackagingInput, packageTree } from '../packaging.ts';
import { directories } from './context.ts';

const outputs = `${directories.build}/melange-out`;

/** Makes the directory of every package, so that steps may write into it at once. */
export async function makeOutputDirectories(workspace: Workspace, resolved: ResolvedRecipe): Promise<void> {
  for (const { name } of resolved.packages) await workspace.makeDirectory(`${outputs}/${name}`);
}

export interface OutputFacts {
  readonly request: BuildRequest;
  readonly resolved: ResolvedRecipe;
  readonly configuration: string;
  readonly provenance: PackagingInput['provenance'];
}

/**
 * Makes the packages of what the steps left. Errors: build.output-unsafe for a directory that is no package's and for what
 * no package may hold; build.output-missing when steps ran and nothing is there.
 */
export async function packageOutputs(workspace: Workspace, facts: OutputFacts): Promise<readonly PackagedTree[]> {
  const { request, resolved } = facts;
  await checkNames(workspace, resolved);
  const trees = new Map<string, PackageTree>();
  for (const { name } of resolved.packages) {
    const base = `${outputs}/${name}`;
    const entries = (await workspace.exists(base)) ? await workspace.walk(base) : [];
    trees.set(name, { entries, read: (path) => workspace.read(`${base}/${path}`) });
  }
  const steps = resolved.packages.flatMap((one) => one.steps);
  if (steps.some(isWork) && [...trees.values()].every((tree) => tree.entries.length === 0)) {
    throw new RegrowError('build.output-missing', `${resolved.name}: the steps ran and installed nothing`, {
      package: resolved.name,
      remedy: 'install into ${{targets.destdir}}',
    });
  }
  const all = [...trees.values()].flatMap(({ entries }) => entries);
  checkSize(resolved.name, all, buildSizeLimit, 'all packages of a build together');
  const packages: PackagedTree[] = [];
  for (const one of resolved.packages) {
    const tree = trees.get(one.name);
    if (tree === undefined) continue;
    const siblings = [...trees].filter(([name]) => name !== one.name).map(([, sibling]) => sibling);
    packages.push(
      await packageTree({
        package: one,
        tree,
        siblings,
        origin: resolved.name,
        fullVersion: resolved.fullVersion,
        target: request.target,
        commit: request.recorded.commit,
        sourceDateEpoch: request.recorded.sourceDateEpoch,
        configuration: facts.configuration,
        provenance: facts.provenance,
      }),
    );
  }
  return packages;
}

function isWork(step: ResolvedStep): boolean {
  return step.runs !== undefined || step.steps.some(isWork);
}

async function checkNames(workspace: Workspace, resolved: ResolvedRecipe): Promise<void> {
  if (!(await workspace.exists(outputs))) return;
  const known = new Set(resolved.packages.map((one) => one.name));
  const strange = (await workspace.list(outputs)).find((name) => !known.has(name));
  if (strange === undefined) return;
  throw new RegrowError(
    'build.output-unsafe',
    `${resolved.name}: melange-out/${strange} belongs to no package of the recipe`,
    {
      package: resolved.name,
      file: `melange-out/${strange}`,
      remedy: `install into \${{targets.destdir}}, or add a subpackage ${strange}`,
    },
  );
}
