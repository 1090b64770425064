import { compareApkVersions, isApkVersion, matchesFuzzily } from '../model/apk-version.ts';
import { type Dependency, parseDependency } from '../model/dependency.ts';
import type { RecipeFacts } from './recipe-facts.ts';

/** A package that can be asked for by a name: its own or one that it provides. */
export interface Provider {
  readonly origin: string;
  readonly package: string;
  /** Of the name that is asked for: a provide without a version has its package's. */
  readonly version: string;
  readonly priority: number;
}

/** Who provides a dependency (`foo`, `foo=1.2`, `foo~1.2`), best first. */
export type ProviderLookup = (dependency: string) => readonly Provider[];

/**
 * Looks up providers in the order in which apko takes them (apko `pkg/apk/apk/repo.go`): the highest version of the name,
 * then the highest provider priority, then the name of the package.
 */
export function createProviderLookup(recipes: Iterable<RecipeFacts>): ProviderLookup {
  const byName = new Map<string, Provider[]>();
  for (const { origin, version, packages } of recipes) {
    for (const { name, provides, priority } of packages) {
      const own = { origin, package: name, priority };
      add(byName, name, { ...own, version });
      for (const provide of provides) {
        const equals = provide.indexOf('=');
        const provided = equals === -1 ? provide : provide.slice(0, equals);
        if (provided !== name)
          add(byName, provided, { ...own, version: equals === -1 ? version : provide.slice(equals + 1) });
      }
    }
  }
  for (const providers of byName.values()) if (providers.length > 1) providers.sort(compareProviders);
  const answers = new Map<string, readonly Provider[]>();
  return (text) => {
    const known = answers.get(text) ?? lookUp(byName, text);
    answers.set(text, known);
    return known;
  };
}

function add(byName: Map<string, Provider[]>, name: string, provider: Provider): void {
  const providers = byName.get(name);
  if (providers === undefined) byName.set(name, [provider]);
  else providers.push(provider);
}

function compareProviders(a: Provider, b: Provider): number {
  return compareVersions(b.version, a.version) || b.priority - a.priority || (a.package < b.package ? -1 : 1);
}

/** A version that apk cannot read stands last. */
function compareVersions(a: string, b: string): number {
  if (a === b) return 0;
  if (!isApkVersion(a) || !isApkVersion(b)) return Number(isApkVersion(a)) - Number(isApkVersion(b));
  return compareApkVersions(a, b);
}

function lookUp(byName: ReadonlyMap<string, readonly Provider[]>, text: string): readonly Provider[] {
  const plain = byName.get(text);
  if (plain !== undefined) return plain;
  if (!/[=<>~@]/.test(text)) return [];
  const dependency = parseDependency(text);
  return (byName.get(dependency.name) ?? []).filter(({ version }) => isWanted(version, dependency));
}

/** A wanted version without `-r` speaks of every revision of it. */
function isWanted(version: string, { operator, version: written }: Dependency): boolean {
  if (operator === undefined || written === undefined) return true;
  if (!isApkVersion(version)) return false;
  if (operator === '~') return matchesFuzzily(version, written);
  const order = compareApkVersions(/-r\d+$/.test(written) ? version : version.replace(/-r\d+$/, ''), written);
  return (
    (order === 0 && operator.includes('=')) ||
    (order < 0 && operator.startsWith('<')) ||
    (order > 0 && operator.startsWith('>'))
  );
}
