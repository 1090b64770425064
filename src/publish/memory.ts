import { RegrowError } from '../errors.ts';
import { entryProblem, indexEntryText } from '../formats/apk-index.ts';
import type { Artifact } from '../model/artifact.ts';
import { canonicalJson } from '../model/canonical.ts';
import type { Generation } from '../model/publication.ts';
import type { TargetName } from '../model/target.ts';
import type { ObjectReader } from '../ports/objects.ts';
import { readPackages } from './manifest.ts';

/** One package as index and package list write it. */
export interface ListedTexts {
  readonly entry: string;
  readonly json: string;
}

/**
 * What a publisher knows of the newest package lists, so that the next generation need not read and write every package of the
 * distribution again. Lists are known by their digest and never change; whatever is not known is read.
 */
export interface RepositoryMemory {
  /** As `readPackages`. Errors: repository.corrupt. */
  packages(objects: ObjectReader, generation: Generation, target: TargetName): Promise<readonly Artifact[]>;
  /** Errors: repository.corrupt, where the entry does not say what it was made from. */
  textsOf(artifact: Artifact): ListedTexts;
  /** A list that was written. */
  keep(target: TargetName, digest: string, packages: readonly Artifact[]): void;
}

export function createRepositoryMemory(): RepositoryMemory {
  const lists = new Map<TargetName, { readonly digest: string; readonly packages: readonly Artifact[] }>();
  const texts = new WeakMap<Artifact, ListedTexts>();
  return {
    async packages(objects, generation, target) {
      const known = lists.get(target);
      if (known !== undefined && known.digest === generation.targets[target]?.packages) return known.packages;
      return readPackages(objects, generation, target);
    },
    textsOf(artifact) {
      const known = texts.get(artifact);
      if (known !== undefined) return known;
      const made = { entry: checkedEntry(artifact), json: canonicalJson(artifact) };
      texts.set(artifact, made);
      return made;
    },
    keep(target, digest, packages) {
      lists.set(target, { digest, packages });
    },
  };
}

/** The entry of a package, read back: a field that breaks out of its line would say something else of another package. */
function checkedEntry(artifact: Artifact): string {
  const text = indexEntryText(artifact);
  const problem = entryProblem(artifact, text);
  if (problem === undefined) return text;
  const { name, version } = artifact.info;
  throw new RegrowError('repository.corrupt', `${name}-${version} cannot be in an index: ${problem}`, {
    package: name,
    remedy: 'build it again, and withdraw what is published of it',
  });
}
