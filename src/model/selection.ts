import type { Dependency } from './dependency.ts';
import { type Candidate, meets } from './package-index.ts';

/** A package that the solver has chosen, and for whom; for nobody: it is one of the wanted. */
export interface Selection {
  readonly candidate: Candidate;
  readonly by: Selection | undefined;
}

/** What the solver has chosen so far, found by every name that it carries. */
export interface Selections {
  readonly list: readonly Selection[];
  add(selection: Selection): void;
  /** Takes back all but the first `length`. */
  truncate(length: number): void;
  /** The chosen packages that a dependency speaks of. */
  meeting(dependency: Dependency): readonly Selection[];
  /** A chosen package that cannot be together with a candidate, and the versioned name that both carry. */
  rival(candidate: Candidate): { readonly selection: Selection; readonly name: string } | undefined;
}

export function createSelections(): Selections {
  const list: Selection[] = [];
  const byName = new Map<string, Selection[]>();
  return {
    list,
    add(selection) {
      list.push(selection);
      for (const name of selection.candidate.carries.keys()) {
        const carriers = byName.get(name);
        if (carriers === undefined) byName.set(name, [selection]);
        else carriers.push(selection);
      }
    },
    truncate(length) {
      // Last in, first out: each one is at the end of the lists of all its names.
      for (const { candidate } of list.splice(length).toReversed()) {
        for (const name of candidate.carries.keys()) byName.get(name)?.pop();
      }
    },
    meeting(dependency) {
      return (byName.get(dependency.name) ?? []).filter(({ candidate }) => meets(candidate, dependency));
    },
    rival(candidate) {
      for (const [name, version] of candidate.carries) {
        if (version === undefined) continue;
        const selection = byName.get(name)?.find(({ candidate: other }) => other.carries.get(name) !== undefined);
        if (selection !== undefined) return { selection, name };
      }
      return undefined;
    },
  };
}
