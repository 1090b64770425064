import type { Osv } from '../model/osv.ts';
import { gitHubRepository } from './components.ts';

export type Affected = Osv['affected'][number];

export interface IndexedAdvisory {
  readonly osv: Osv;
  readonly affected: Affected;
}

/** Advisories by the component that they are about: a purl without version, lower case. */
export type AdvisoryIndex = ReadonlyMap<string, readonly IndexedAdvisory[]>;

/** Withdrawn records are left out: what they said no longer holds. */
export function indexAdvisories(advisories: Iterable<Osv>): AdvisoryIndex {
  const index = new Map<string, IndexedAdvisory[]>();
  for (const osv of advisories) {
    if (osv.withdrawn !== undefined) continue;
    for (const affected of osv.affected) {
      if (notForLinux(affected)) continue;
      for (const component of componentsAffected(affected)) {
        const known = index.get(component);
        if (known === undefined) index.set(component, [{ osv, affected }]);
        else known.push({ osv, affected });
      }
    }
  }
  return index;
}

function componentsAffected(affected: Affected): ReadonlySet<string> {
  const components = new Set<string>();
  const { package: named } = affected;
  if (named?.purl !== undefined) components.add(withoutVersion(named.purl));
  if (named?.ecosystem === 'Go') components.add(`pkg:golang/${goModule(named.name)}`);
  if (named !== undefined && gitHubRepository(named.name) !== undefined) {
    components.add(`pkg:github/${gitHubRepository(named.name)}`);
  }
  for (const { repo } of affected.ranges) {
    const repository = gitHubRepository(repo ?? '');
    if (repository !== undefined) components.add(`pkg:github/${repository}`);
  }
  return components;
}

/** `github.com/o/r/v2` is the module of the repository `github.com/o/r` from its major version 2 on (go.dev/ref/mod). */
function goModule(name: string): string {
  return name.toLowerCase().replace(/\/v\d+$/, '');
}

function withoutVersion(purl: string): string {
  const bare = (purl.split(/[?#]/, 1)[0] ?? purl).replace(/@[^/@]*$/, '').toLowerCase();
  return bare.startsWith('pkg:golang/') ? bare.replace(/\/v\d+$/, '') : bare;
}

/** An advisory whose every import names operating systems, and none of them is Linux. */
function notForLinux(affected: Affected): boolean {
  const imports = affected.ecosystem_specific?.imports ?? [];
  return imports.length > 0 && imports.every(({ goos }) => goos.length > 0 && !goos.includes('linux'));
}
