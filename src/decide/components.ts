import type { PipelineNode, Recipe } from '../model/recipe/recipe.ts';

/**
 * What a recipe builds, as advisories name it: purls without a version, lower case. Only the project itself; what is
 * embedded in the binaries is found in the binaries. Sources: the repository of `update.github`, and that of every
 * git-checkout of the main pipeline whose tag follows the version.
 */
export function componentsOf(recipe: Recipe): readonly string[] {
  const repositories = new Set<string>();
  const watched = recipe.update?.github?.identifier;
  if (watched !== undefined) repositories.add(watched.toLowerCase());
  for (const node of checkouts(recipe.pipeline)) {
    const repository = gitHubRepository(node.with['repository'] ?? '');
    if (repository !== undefined && (node.with['tag'] ?? '').includes('package.version')) repositories.add(repository);
  }
  const components = new Set<string>();
  for (const repository of repositories) {
    components.add(`pkg:github/${repository}`);
    components.add(`pkg:golang/github.com/${repository}`);
    // The Go vulnerability database names the language's own parts by these two words.
    if (repository === 'golang/go') {
      components.add('pkg:golang/stdlib');
      components.add('pkg:golang/toolchain');
    }
  }
  components.add(`pkg:generic/${recipe.package.name.toLowerCase()}`);
  return [...components];
}

function* checkouts(nodes: readonly PipelineNode[]): Generator<PipelineNode> {
  for (const node of nodes) {
    if (node.uses === 'git-checkout') yield node;
    yield* checkouts(node.pipeline);
  }
}

/** `owner/repository` in lower case, of an address on github.com that has no variable in it. */
export function gitHubRepository(address: string): string | undefined {
  const match = /^(?:https?|git|ssh):\/\/(?:[^/@]*@)?(?:www\.)?github\.com\/([\w.-]+)\/([\w.-]+?)(?:\.git)?\/?$/i.exec(
    address,
  );
  const [, owner, repository] = match ?? [];
  return owner === undefined || repository === undefined ? undefined : `${owner}/${repository}`.toLowerCase();
}
