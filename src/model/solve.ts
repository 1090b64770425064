import { RegrowError } from '../errors.ts';
import type { Artifact } from './artifact.ts';
import { type Dependency, parseDependency, printDependency } from './dependency.ts';
import { type Candidate, compareNames, meets, type PackageIndex, providersOf } from './package-index.ts';
import { createSelections, type Selection, type Selections } from './selection.ts';

export { createPackageIndex, growPackageIndex, type PackageIndex } from './package-index.ts';

/** A dependency and who asked for it; nobody: it is one of the wanted. */
interface Need {
  readonly dependency: Dependency;
  readonly by: Selection | undefined;
}

/** A place where another package could have been taken. */
interface Choice {
  readonly position: number;
  readonly needs: number;
  readonly selected: number;
  readonly forbidden: number;
  readonly others: readonly Candidate[];
}

/** Packages tried before the solver stops looking for a way around; real sets need hundreds. */
const budget = 50_000;

/**
 * What has to be installed so that everything wanted is: the wanted (`curl`, `libfoo=1.2-r0`, `so:libz.so.1`, `!bash`) and
 * all that they depend on, sorted by name, the same for the same input. Candidates are tried in apko's order: for a dependency
 * first those of the same origin and version as something already taken, then as the index ranks them. Where apko would then give up, because an
 * earlier pick stands in the way of a later need, this goes back and tries the next candidate, as apk-tools does.
 * Throws solve.unsatisfiable, naming the chain of packages that leads to what cannot be met, and recipe.malformed.
 */
export function solve(index: PackageIndex, wanted: readonly string[]): readonly Artifact[] {
  const needs: Need[] = wanted.map((text) => ({ dependency: parseDependency(text), by: undefined }));
  const selected = createSelections();
  const forbidden: Need[] = [];
  const choices: Choice[] = [];
  let failure: RegrowError | undefined;
  let tried = 0;

  for (let position = 0; position < needs.length; position++) {
    const need = needs[position];
    if (need === undefined) break;
    let options = candidatesFor(need);
    while (options !== undefined && options.length === 0) {
      failure ??= unsatisfiable(index, need, selected, forbidden);
      const choice = choices.pop();
      if (choice === undefined || tried > budget) throw failure;
      needs.length = choice.needs;
      selected.truncate(choice.selected);
      forbidden.length = choice.forbidden;
      position = choice.position;
      options = choice.others;
    }
    const [best, ...others] = options ?? [];
    const current = needs[position];
    if (best === undefined || current === undefined) continue;
    if (others.length > 0) {
      const { length } = needs;
      choices.push({ position, needs: length, selected: selected.list.length, forbidden: forbidden.length, others });
    }
    tried++;
    const selection = { candidate: best, by: current.by };
    selected.add(selection);
    needs.push(...best.depends.map((dependency) => ({ dependency, by: selection })));
  }
  return selected.list
    .map(({ candidate }) => candidate.artifact)
    .toSorted((a, b) => compareNames(a.info.name, b.info.name));

  /** Undefined: the need is met already. Empty: it cannot be met. */
  function candidatesFor(need: Need): readonly Candidate[] | undefined {
    const { dependency } = need;
    const meeting = selected.meeting(dependency);
    if (dependency.conflict) {
      // A package never conflicts with itself: `!x` of one that carries x keeps the others out.
      if (meeting.some((selection) => selection !== need.by)) return [];
      forbidden.push(need);
      return undefined;
    }
    if (meeting.length > 0) return undefined;
    if (dependency.pin !== undefined) return [];
    return prefer(
      providersOf(index, dependency).filter((candidate) => obstacle(candidate, selected, forbidden) === undefined),
      need.by !== undefined,
    );
  }

  function prefer(candidates: readonly Candidate[], siblings: boolean): readonly Candidate[] {
    const rank = (candidate: Candidate) => {
      const sibling =
        siblings &&
        selected.list.some(
          ({ candidate: other }) => other.origin === candidate.origin && other.version === candidate.version,
        );
      const refused = needs.some(
        ({ dependency }) => dependency.name === candidate.name && meets(candidate, dependency) === dependency.conflict,
      );
      return Number(refused) * 2 + Number(!sibling);
    };
    return candidates.length < 2 ? candidates : candidates.toSorted((a, b) => rank(a) - rank(b));
  }
}

/** What keeps a package out: another version of it, another package with the same versioned name, or a `!`. */
function obstacle(candidate: Candidate, selected: Selections, forbidden: readonly Need[]): string | undefined {
  const rival = selected.rival(candidate);
  if (rival !== undefined) return `${label(rival.selection.candidate)} is chosen and also carries ${rival.name}`;
  const forbids = forbidden.find(({ dependency }) => meets(candidate, dependency));
  return forbids === undefined ? undefined : `${printDependency(forbids.dependency)} is asked for${chain(forbids.by)}`;
}

const generalRemedy = 'publish a package that provides it, or change what asks for it';
/** The first thing that a new distribution lacks. */
const libcRemedy =
  'regrow ships a recipe of the C library of the machine that builds, config/recipes/host-libc.yaml: add it, and name ' +
  'host-libc under environment.contents.packages (docs/host-engine.md, "The C library"); or link with -static';

function unsatisfiable(index: PackageIndex, need: Need, selected: Selections, forbidden: readonly Need[]): RegrowError {
  const { dependency, by } = need;
  const wanted = printDependency(dependency);
  const why = reason(index, dependency, selected, forbidden);
  return new RegrowError('solve.unsatisfiable', `cannot meet ${wanted}${chain(by)}: ${why}`, {
    ...(by === undefined ? {} : { package: by.candidate.name }),
    field: wanted,
    remedy: /^so:(?:lib(?:c|m|gcc_s|stdc\+\+)\.|ld-)/.test(dependency.name) ? libcRemedy : generalRemedy,
  });
}

function reason(index: PackageIndex, dependency: Dependency, selected: Selections, forbidden: readonly Need[]): string {
  if (dependency.conflict) {
    return `${selected
      .meeting(dependency)
      .map(({ candidate, by }) => `${label(candidate)}${chain(by)}`)
      .join(', ')} is there`;
  }
  if (dependency.pin !== undefined) return 'there is one repository, without tags';
  const providers = providersOf(index, dependency).slice(0, 3);
  if (providers.length > 0) {
    return providers.map((p) => `${label(p)}: ${obstacle(p, selected, forbidden) ?? ''}`).join('; ');
  }
  const near = (index.byName.get(dependency.name) ?? []).slice(0, 3);
  return near.length > 0 ? `there is only ${near.map(label).join(', ')}` : 'no package is or provides it';
}

/** `, which a-1.0-r0 needs, which b-1.0-r0 needs` */
function chain(by: Selection | undefined): string {
  return by === undefined ? '' : `, which ${label(by.candidate)} needs${chain(by.by)}`;
}

function label(candidate: Candidate): string {
  return `${candidate.name}-${candidate.version}`;
}
