import { parseDependency, satisfies } from '../model/dependency.ts';
import { dependencyName } from '../model/package-set.ts';
import type { ResolvedPackage } from '../model/recipe/resolved.ts';
import { scanCommands, scanScripts } from './scan/commands.ts';
import type { Findings, ScanInput } from './scan/findings.ts';
import { scanLanguages } from './scan/languages.ts';
import { scanPkgConfig } from './scan/pkg-config.ts';
import { scanSharedObjects } from './scan/shared-objects.ts';

export interface Dependencies {
  readonly depends: readonly string[];
  readonly provides: readonly string[];
}

const scanners: readonly ((input: ScanInput) => Findings)[] = [
  scanSharedObjects,
  scanCommands,
  scanScripts,
  scanPkgConfig,
  scanLanguages,
];

function sortedOnce(items: readonly string[]): string[] {
  return [...new Set(items)].toSorted();
}

/** A file may have any name; one that makes no dependency that apk can read, with a space for example, cannot be asked for. */
function isReadable(item: string): boolean {
  try {
    parseDependency(item);
    return true;
  } catch {
    return false;
  }
}

/** Whether one of a package's own provides answers a dependency: then it needs nobody for it. */
function isSelfProvided(depend: string, provides: ReadonlyMap<string, string>): boolean {
  const dependency = parseDependency(depend);
  const provided = provides.get(dependency.name);
  return !dependency.conflict && provided !== undefined && satisfies(parseDependency(provided).version, dependency);
}

/**
 * Depends and provides of a package: those of the recipe, and those found in its files unless `options` switch them off.
 * Sorted, once each, without what the package provides for itself (rules: melange `pkg/sca`). Errors: recipe.malformed for
 * a declared dependency that apk cannot read.
 */
export function scanDependencies(recipe: ResolvedPackage, input: ScanInput): Dependencies {
  const findings = scanners.map((scan) => scan(input));
  const { noProvides, noDepends, noCommands } = recipe.options;
  const allowed = (item: string): boolean => isReadable(item) && !(noCommands && item.startsWith('cmd:'));
  const vendored = new Set(findings.flatMap((found) => found.vendored ?? []));
  const foundProvides = findings.flatMap((found) => found.provides).filter(allowed);
  const foundDepends = findings
    .flatMap((found) => found.depends)
    .filter((item) => allowed(item) && !vendored.has(item));
  const provides = sortedOnce([...recipe.provides, ...(noProvides ? [] : foundProvides)]);
  const depends = sortedOnce([...recipe.depends, ...(noDepends ? [] : foundDepends)]);
  // What `no-provides` hides is there all the same: the package must not depend on others for it.
  const own = new Map([...foundProvides, ...provides].map((provide) => [dependencyName(provide), provide]));
  return { provides, depends: depends.filter((depend) => !isSelfProvided(depend, own)) };
}
