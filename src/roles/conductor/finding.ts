import { type AdvisoryIndex, componentsOf, findingsOf, indexAdvisories } from '../../decide/vulnerability.ts';
import { compareApkVersions, withoutEpoch } from '../../model/apk-version.ts';
import type { Finding } from '../../model/finding.ts';
import { newestPackages } from '../../model/package-set.ts';
import type { Recipe } from '../../model/recipe/recipe.ts';
import type { ConductorContext } from './context.ts';
import type { World } from './world.ts';

/** The advisories that the ledger knows, by component. Made again only when one of them changed. */
export function createAdvisoryShelf(context: ConductorContext): () => AdvisoryIndex {
  let stamp = '';
  let index: AdvisoryIndex = new Map();
  return () => {
    const advisories = [...context.book.all('observation')].filter((entry) => entry.value.kind === 'advisory');
    const newest = advisories.reduce((latest, entry) => (entry.at > latest ? entry.at : latest), '');
    const now = `${advisories.length} ${newest}`;
    if (now !== stamp) {
      stamp = now;
      index = indexAdvisories(advisories.flatMap(({ value }) => (value.kind === 'advisory' ? [value.osv] : [])));
    }
    return index;
  };
}

export function findingsAt(recipe: Recipe, version: string, advisories: AdvisoryIndex): readonly Finding[] {
  return findingsOf({ package: recipe.package.name, version, components: componentsOf(recipe) }, advisories);
}

/** The newest published version of each origin, without epoch: the lowest over the targets, so that none is overlooked. */
function publishedVersions(world: World): ReadonlyMap<string, string> {
  const versions = new Map<string, string>();
  for (const artifacts of world.published.values()) {
    for (const { info } of newestPackages(artifacts)) {
      if (info.name !== info.origin) continue;
      const known = versions.get(info.name);
      if (known === undefined || compareApkVersions(info.version, known) < 0) versions.set(info.name, info.version);
    }
  }
  return new Map([...versions].map(([name, version]) => [name, withoutEpoch(version)]));
}

/** Known vulnerabilities of what is published: opens findings that are new, closes those that are gone. */
export async function recordFindings(
  context: ConductorContext,
  world: World,
  advisories: AdvisoryIndex,
): Promise<void> {
  const stamp = stampOf(context, world);
  const rows = new Map<string, { value: Finding; about: string }>();
  for (const [name, version] of publishedVersions(world)) {
    const file = world.tree.recipes.get(name);
    if (file === undefined) continue;
    for (const finding of findingsAt(file.recipe, version, advisories)) {
      rows.set(`${finding.advisory}/${name}`, { value: finding, about: name });
    }
  }
  const known = new Map([...context.book.all('finding')].map((entry) => [entry.key, entry.value]));
  for (const [key, { value: finding }] of rows) {
    if (known.has(key)) continue;
    const fix = finding.fixedIn.length > 0 ? `fixed in ${finding.fixedIn.join(', ')}` : 'no fix is known';
    await context.book.tell({
      id: `finding-opened/${key}/${finding.version}/${stamp(finding)}`,
      kind: 'finding-opened',
      package: finding.package,
      text: `${finding.advisory} affects ${finding.package} ${finding.version}; ${fix}`,
      facts: { advisory: finding.advisory, version: finding.version },
    });
  }
  for (const [key, finding] of known) {
    if (rows.has(key)) continue;
    await context.book.tell({
      id: `finding-closed/${key}/${finding.version}/${stamp(finding)}`,
      kind: 'finding-closed',
      package: finding.package,
      text: `${finding.advisory} no longer affects what is published of ${finding.package}`,
      facts: { advisory: finding.advisory },
    });
  }
  await context.book.replace('finding', rows);
}

/** What it depends on whether there is a finding: the generation, and the advisory as it was last seen. */
function stampOf({ book }: ConductorContext, world: World): (finding: Finding) => string {
  return ({ advisory }) => {
    const seen = [...book.all('observation')].flatMap(({ value, at }) =>
      value.kind === 'advisory' && value.id === advisory ? [at] : [],
    );
    return `${world.generation?.generation ?? 0}/${seen.toSorted().at(-1) ?? ''}`;
  };
}
