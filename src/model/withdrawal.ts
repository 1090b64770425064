import { RegrowError } from '../errors.ts';
import { compareApkVersions } from './apk-version.ts';
import type { Artifact } from './artifact.ts';
import { parseDependency } from './dependency.ts';
import { createPackageIndex, providersOf } from './package-index.ts';
import { newestPackages } from './package-set.ts';
import type { Generation, Withdrawn } from './publication.ts';
import type { TargetName } from './target.ts';

/** The generations that are kept, and their package lists. */
export interface GenerationReader {
  /** Undefined where it is no longer kept. */
  generation(number: number): Promise<Generation | undefined>;
  packages(generation: Generation, target: TargetName): Promise<readonly Artifact[]>;
}

/** A package that would no longer find something that it depends on. */
export interface LostDependency {
  readonly target: TargetName;
  readonly package: string;
  readonly dependency: string;
}

/** A version to take out of the repository. */
export interface WithdrawalOrder {
  /** A recipe, or one of its packages. */
  readonly name: string;
  /** Full version. */
  readonly version: string;
  readonly reason: string;
  /** Also when something published would no longer find what it depends on. */
  readonly force: boolean;
}

/** What taking one version of a recipe out of the repository comes to. */
export interface Withdrawal {
  readonly origin: string;
  readonly version: string;
  readonly leaving: readonly Artifact[];
  /** An older version that comes back into the index, where nothing else of the recipe is left in it. */
  readonly restored: readonly Artifact[];
  readonly lost: readonly LostDependency[];
}

type Published = ReadonlyMap<TargetName, readonly Artifact[]>;

/** Why a version is not published. */
export function withdrawnError({ origin, version, reason, at, rolledBackTo }: Withdrawn): RegrowError {
  const what = rolledBackTo === undefined ? 'was withdrawn' : 'is held back';
  return new RegrowError('package.withdrawn', `${origin} ${version} ${what} at ${at}: ${reason}`, {
    package: origin,
    remedy:
      rolledBackTo === undefined
        ? 'raise the epoch of the recipe, or update it: a withdrawn version is never published again'
        : 'raise the epoch of the recipe, update it, or take the rollback back: `regrow rollback --undo`',
  });
}

/** Who would be left without what, the first few by name. */
export function lostText(lost: readonly LostDependency[]): string {
  const shown = lost.slice(0, 5).map((one) => `${one.package} on ${one.target} needs ${one.dependency}`);
  return `${shown.join('; ')}${lost.length > shown.length ? `; and ${lost.length - shown.length} more` : ''}`;
}

/**
 * What goes when `name` (a recipe or one of its packages) is withdrawn at a full version. All packages that were built of the
 * recipe at that version go together, on all targets: half of them would be a state that nothing else here knows. Undefined
 * where nothing of it is published.
 */
export async function planWithdrawal(
  reader: GenerationReader,
  current: Generation,
  { name, version }: { readonly name: string; readonly version: string },
): Promise<Withdrawal | undefined> {
  const published = await readPublished(reader, current);
  const sameVersion = [...published.values()].flat().filter(({ info }) => info.version === version);
  const { origin } =
    sameVersion.find(({ info }) => info.origin === name)?.info ??
    sameVersion.find(({ info }) => info.name === name)?.info ??
    {};
  if (origin === undefined) return undefined;
  const leaving = sameVersion.filter(({ info }) => info.origin === origin);
  const restored: Artifact[] = [];
  for (const [target, before] of published) {
    const isLeft = before.some((artifact) => artifact.info.origin === origin && artifact.info.version !== version);
    if (isLeft || !leaving.some((artifact) => artifact.target === target)) continue;
    restored.push(...(await formerVersion(reader, current, { origin, version, target })));
  }
  const after = withoutAndWith(published, leaving, restored);
  return { origin, version, leaving, restored, lost: lostDependencies(published, after) };
}

export async function readPublished(reader: GenerationReader, generation: Generation): Promise<Published> {
  const published = new Map<TargetName, readonly Artifact[]>();
  for (const name of Object.keys(generation.targets)) {
    const target = name as TargetName;
    published.set(target, await reader.packages(generation, target));
  }
  return published;
}

/**
 * What a rollback to a generation publishes of it, not sorted: what was withdrawn for good stays away. Where that leaves nothing of a
 * recipe, its newest older version that is kept takes the place, as it does when a version is withdrawn.
 */
export async function rolledBackContent(
  reader: GenerationReader,
  old: Published,
  current: Generation,
): Promise<Published> {
  const final = (current.withdrawn ?? []).filter((one) => one.rolledBackTo === undefined);
  const away = new Set(final.map(versionOf));
  const content = new Map<TargetName, readonly Artifact[]>();
  for (const name of Object.keys(current.targets)) {
    const target = name as TargetName;
    const packages = old.get(target) ?? [];
    const stays = packages.filter(({ info }) => !away.has(versionOf(info)));
    const left = new Set(stays.map(({ info }) => info.origin));
    const gone = packages.filter(({ info }) => !left.has(info.origin));
    // The newest of each recipe; several only where old versions are kept in the index.
    const newest = new Map(
      gone
        .toSorted((a, b) => compareApkVersions(a.info.version, b.info.version))
        .map(({ info }) => [info.origin, info.version]),
    );
    for (const [origin, version] of newest) {
      stays.push(...(await formerVersion(reader, current, { origin, version, target }, final)));
    }
    content.set(target, stays);
  }
  return content;
}

/** Whether a rollback to a generation would publish something else than is published now. */
export async function changesContent(
  reader: GenerationReader,
  current: Generation,
  goal: Generation,
): Promise<boolean> {
  const before = await readPublished(reader, current);
  const after = await rolledBackContent(reader, await readPublished(reader, goal), current);
  return [...before].some(([target, packages]) => {
    const there = new Set(after.get(target)?.map(({ digest }) => digest));
    return there.size !== packages.length || packages.some(({ digest }) => !there.has(digest));
  });
}

/** Each target's packages without some, and with some others; not sorted. */
export function withoutAndWith(
  published: Published,
  leaving: readonly Artifact[],
  coming: readonly Artifact[],
): ReadonlyMap<TargetName, readonly Artifact[]> {
  const nameOf = ({ info, target }: Artifact) => `${target} ${info.name}-${info.version}`;
  const gone = new Set(leaving.map(nameOf));
  return new Map(
    [...published].map(([target, packages]) => [
      target,
      [...packages.filter((one) => !gone.has(nameOf(one))), ...coming.filter((one) => one.target === target)],
    ]),
  );
}

/** A version of a recipe, as what was withdrawn is known by. */
export function versionOf({ origin, version }: { readonly origin: string; readonly version: string }): string {
  return `${origin} ${version}`;
}

/** The newest older version of a recipe in the generations that are kept, the current one too, that is not among `away`. */
async function formerVersion(
  reader: GenerationReader,
  current: Generation,
  { origin, version, target }: { readonly origin: string; readonly version: string; readonly target: TargetName },
  away: readonly Withdrawn[] = current.withdrawn ?? [],
): Promise<readonly Artifact[]> {
  const withdrawn = new Set(away.map(versionOf));
  for (let number = current.generation; number > 0; number -= 1) {
    const generation = number === current.generation ? current : await reader.generation(number);
    if (generation === undefined) break;
    const older = (await reader.packages(generation, target)).filter(
      ({ info }) =>
        info.origin === origin && compareApkVersions(info.version, version) < 0 && !withdrawn.has(versionOf(info)),
    );
    const [newest] = older.toSorted((a, b) => compareApkVersions(b.info.version, a.info.version));
    if (newest !== undefined) return older.filter(({ info }) => info.version === newest.info.version);
  }
  return [];
}

/** What newest packages of `after` depend on that something met before, and nothing does any more. */
function lostDependencies(before: Published, after: Published): readonly LostDependency[] {
  const lost: LostDependency[] = [];
  for (const [target, packages] of after) {
    const [had, has] = [createPackageIndex(before.get(target) ?? []), createPackageIndex(packages)];
    for (const { info } of newestPackages(packages)) {
      for (const text of info.depends) {
        const dependency = parseDependency(text);
        if (dependency.conflict || providersOf(has, dependency).length > 0) continue;
        if (providersOf(had, dependency).length > 0) lost.push({ target, package: info.name, dependency: text });
      }
    }
  }
  return lost;
}
