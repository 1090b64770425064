import { RegrowError } from '../errors.ts';
import type { Artifact } from '../model/artifact.ts';
import type { LockedPackage } from '../model/build.ts';
import { parseDependency } from '../model/dependency.ts';
import { type PackageIndex, solve } from '../model/solve.ts';

export interface LockedEnvironment {
  readonly host: string[];
  readonly packages: LockedPackage[];
}

export interface EnvironmentSources {
  readonly index: PackageIndex;
  /** Key in the object store of each artifact of the index. */
  readonly keyOf: (artifact: Artifact) => string;
  /** Names that the host gives, of the engine's table and the configuration; left out where it gives none. */
  readonly hostPackages?: ReadonlySet<string>;
}

/**
 * Pins an environment: what our own repository has comes from there with all that it pulls in, the rest from the host.
 * Throws build.refused for a package that neither has, solve.unsatisfiable where the repository's does not fit.
 */
export function lockEnvironment(
  wanted: readonly string[],
  sources: EnvironmentSources,
  where: { readonly package: string; readonly file: string; readonly field: string },
): LockedEnvironment {
  const own: string[] = [];
  const host: string[] = [];
  for (const text of new Set(wanted)) {
    const dependency = parseDependency(text);
    if (dependency.conflict) continue;
    if (sources.index.byName.has(dependency.name)) own.push(text);
    else if (sources.hostPackages?.has(dependency.name) === true) host.push(dependency.name);
    else throw missing(text, sources, where);
  }
  const packages = solve(sources.index, own).map((artifact) => ({
    name: artifact.info.name,
    version: artifact.info.version,
    checksum: artifact.checksum,
    key: sources.keyOf(artifact),
    digest: artifact.digest,
  }));
  return { host: [...new Set(host)].toSorted(), packages };
}

function missing(
  text: string,
  { hostPackages }: EnvironmentSources,
  where: { readonly package: string; readonly file: string; readonly field: string },
): RegrowError {
  if (hostPackages === undefined) {
    return new RegrowError('build.refused', `${where.field} asks for ${text}, which the repository does not have`, {
      ...where,
      remedy:
        'add a recipe for it: melange builds from the packages of this distribution alone (docs/melange-engine.md: where to begin)',
    });
  }
  return new RegrowError(
    'build.refused',
    `${where.field} asks for ${text}, which neither this host nor the repository has`,
    {
      ...where,
      remedy:
        'add a recipe for it, or map it to commands of the host under build.hostTools (docs/host-engine.md lists the names that the host stands in for)',
    },
  );
}
