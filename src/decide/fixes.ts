import type { Finding } from '../model/finding.ts';
import type { Recipe } from '../model/recipe/recipe.ts';
import type { AdvisoryIndex } from './advisory-index.ts';
import { compareBounds } from './affected-range.ts';
import { componentsOf } from './components.ts';
import { findingsOf } from './vulnerability.ts';

interface Known {
  readonly recipe: Recipe;
  readonly findings: readonly Finding[];
  readonly advisories?: AdvisoryIndex | undefined;
}

/** Which of the findings a version does not have any more; ids, sorted. */
export function fixesOf({ recipe, findings, advisories }: Known, version: string): readonly string[] {
  if (findings.length === 0) return [];
  if (advisories !== undefined) {
    const components = componentsOf(recipe);
    const left = findingsOf({ package: recipe.package.name, version, components }, advisories);
    const remaining = new Set(left.map(({ advisory }) => advisory));
    return findings.flatMap(({ advisory }) => (remaining.has(advisory) ? [] : [advisory])).sort();
  }
  return findings.flatMap((finding) => (isFixedIn(finding, version) ? [finding.advisory] : [])).sort();
}

function isFixedIn(finding: Finding, version: string): boolean {
  return finding.fixedIn.some((fixed) => {
    const order = compareBounds(version, fixed);
    return order === 0 || order === 1;
  });
}
