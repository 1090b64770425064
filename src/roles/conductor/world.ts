import type { Artifact } from '../../model/artifact.ts';
import type { Problem } from '../../model/plan.ts';
import type { Proposal } from '../../model/proposal.ts';
import type { Generation, ImageCatalogue } from '../../model/publication.ts';
import type { TargetName } from '../../model/target.ts';
import type { RepositoryView } from '../../report/repository.ts';
import type { ConductorContext } from './context.ts';
import type { RecipeReader, RecipeTree } from './recipes.ts';

/** What is, at the start of one reconcile: git, the forge and the repository as they answer now. */
export interface World {
  readonly tree: RecipeTree;
  readonly reader: RecipeReader;
  /** Open ones, and those that ended lately. */
  readonly proposals: readonly Proposal[];
  /** Whether git and the forge answered. Otherwise this is how they were when they last did. */
  readonly reachable: boolean;
  readonly generation: Generation | undefined;
  readonly published: ReadonlyMap<TargetName, readonly Artifact[]>;
  readonly images: ImageCatalogue;
  isPublished(target: TargetName, name: string, version: string): boolean;
  /** What is wrong, found on the way; becomes the ledger's problems at the end of the reconcile. */
  readonly problems: Map<string, Problem>;
}

export async function observeWorld(
  context: ConductorContext,
  reader: RecipeReader,
  view: RepositoryView,
  { proposals, reachable }: Pick<World, 'proposals' | 'reachable'>,
): Promise<World> {
  const { commit } = await context.repository.head();
  const tree = await reader.read(commit);
  const generation = await view.current();
  const published = new Map<TargetName, readonly Artifact[]>();
  const names = new Set<string>();
  for (const target of context.settings.targets) {
    const packages = generation === undefined ? [] : await view.packages(generation, target);
    published.set(target, packages);
    for (const { info } of packages) names.add(`${target} ${info.name} ${info.version}`);
  }
  return {
    tree,
    reader,
    proposals,
    reachable,
    generation,
    published,
    images: await view.images(),
    isPublished: (target, name, version) => names.has(`${target} ${name} ${version}`),
    problems: new Map([...tree.problems.values()].map((problem) => [`${problem.area}/${problem.name}`, problem])),
  };
}
