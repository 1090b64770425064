import type { BuildRequest } from '../../model/build.ts';
import type { Recipe } from '../../model/recipe/recipe.ts';
import { parseTarget } from '../../model/target.ts';
import { directories, type MelangePlace } from './context.ts';

export interface ArgumentFacts {
  readonly request: BuildRequest;
  readonly recipe: Pick<Recipe, 'package'>;
  /** Milliseconds, where the recipe says nothing. */
  readonly timeout: number;
  /** Whether the distribution has pipelines of its own that the recipe uses. */
  readonly hasPipelines: boolean;
  readonly namespace: string;
  readonly recipeRepository: string | undefined;
}

/**
 * `melange build` of one recipe for one architecture: into a folder of its own, without an index and without a key, from the
 * snapshot alone (melange `pkg/cli/build.go`).
 */
export function buildArguments(facts: ArgumentFacts, place: MelangePlace): readonly string[] {
  const { request, recipe, namespace, recipeRepository } = facts;
  const { arch, libc } = parseTarget(request.target);
  return [
    '--gcplog',
    'build',
    place.recipeFile,
    ...commonArguments(facts, place, directories.repository),
    ...resources(recipe.package.resources),
    '--out-dir',
    place.path(directories.out),
    '--generate-index=false',
    '--cache-dir',
    place.path(directories.cache),
    '--override-host-triplet-libc-substitution-flavor',
    libc,
    '--namespace',
    namespace,
    '--git-commit',
    request.recorded.commit,
    ...(recipeRepository === undefined ? [] : ['--git-repo-url', recipeRepository]),
    // It wants a pipeline of every architecture of the recipe otherwise.
    '--arch',
    arch,
  ];
}

/**
 * `melange test` of all packages of a recipe. The origin is pinned to the version that was built; of the others the
 * repository has no other version (melange `pkg/cli/test.go`).
 */
export function testArguments(facts: ArgumentFacts, place: MelangePlace): readonly string[] {
  const { request, recipe } = facts;
  return [
    '--gcplog',
    'test',
    place.recipeFile,
    `${request.package}=${request.version}-r${request.epoch}`,
    ...commonArguments(facts, place, directories.testRepository),
    ...resources(recipe.package['test-resources'] ?? recipe.package.resources),
    '--arch',
    parseTarget(request.target).arch,
  ];
}

function commonArguments(
  { recipe, timeout, hasPipelines }: ArgumentFacts,
  place: MelangePlace,
  repository: string,
): readonly string[] {
  return [
    '--runner',
    place.melange.runner,
    '--source-dir',
    place.path(directories.source),
    '--repository-append',
    place.path(repository),
    '--keyring-append',
    place.keyFile,
    '--apk-cache-dir',
    place.path(directories.apkCache),
    '--timeout',
    recipe.package.timeout ?? `${Math.ceil(timeout / 1000)}s`,
    ...(hasPipelines ? ['--pipeline-dirs', place.path(directories.pipelines)] : []),
  ];
}

/** What the recipe says that it needs; bubblewrap knows no such limits, docker and qemu do. */
function resources(wanted: Recipe['package']['resources']): readonly string[] {
  const given: readonly (readonly [string, string | undefined])[] = [
    ['--cpu', wanted?.cpu],
    ['--cpumodel', wanted?.cpumodel],
    ['--memory', wanted?.memory],
    ['--disk', wanted?.disk],
  ];
  return given.flatMap(([flag, value]) => (value === undefined || value === '' ? [] : [flag, value]));
}

/** The environment of melange itself: nothing of ours gets in but what is named here. */
export function melangeEnvironment(
  place: MelangePlace,
  sourceDateEpoch: number,
  more: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return {
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    ...more,
    PATH: `${place.path(directories.programs)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: place.path(directories.home),
    TMPDIR: place.path(directories.temporary),
    SOURCE_DATE_EPOCH: String(sourceDateEpoch),
  };
}
