import type { BuildRequest } from '../../model/build.ts';
import { parseTarget } from '../../model/target.ts';
import { directories, type MelangePlace } from './context.ts';

export interface ArgumentFacts {
  readonly request: BuildRequest;
  /** Whether the distribution has pipelines of its own that the recipe uses. */
  readonly hasPipelines: boolean;
  readonly namespace: string;
  readonly recipeRepository: string | undefined;
}

/**
 * `melange build` of one recipe for one architecture: into a folder of its own, without an index and without a key, from the
 * snapshot alone (melange `pkg/cli/build.go`). Resources and time limits melange takes from the recipe; defaults of ours would
 * stand in the package.
 */
export function buildArguments(facts: ArgumentFacts, place: MelangePlace): readonly string[] {
  const { request, namespace, recipeRepository } = facts;
  const { arch, libc } = parseTarget(request.target);
  return [
    '--gcplog',
    'build',
    place.recipeFile,
    ...commonArguments(facts, place, directories.repository),
    '--out-dir',
    place.path(directories.out),
    '--generate-index=false',
    '--override-host-triplet-libc-substitution-flavor',
    libc,
    '--namespace',
    namespace,
    '--git-commit',
    request.recorded.commit,
    ...(recipeRepository === undefined ? [] : ['--git-repo-url', recipeRepository]),
    // Without, it builds for every architecture that there is.
    '--arch',
    arch,
  ];
}

/**
 * `melange test` of all packages of a recipe. The origin is pinned to the version that was built; of the others the
 * repository has no other version (melange `pkg/cli/test.go`).
 */
export function testArguments(facts: ArgumentFacts, place: MelangePlace): readonly string[] {
  const { request } = facts;
  return [
    '--gcplog',
    'test',
    place.recipeFile,
    `${request.package}=${request.version}-r${request.epoch}`,
    ...commonArguments(facts, place, directories.testRepository),
    '--arch',
    parseTarget(request.target).arch,
  ];
}

function commonArguments({ hasPipelines }: ArgumentFacts, place: MelangePlace, repository: string): readonly string[] {
  return [
    '--runner',
    place.melange.runner,
    '--source-dir',
    place.path(directories.source),
    // Relative to the recipe: both stand in the `.melange.yaml` of the package, which is to be the same wherever it is built.
    '--repository-append',
    `${place.up}${repository}`,
    '--keyring-append',
    `${place.up}${place.keyFile}`,
    '--cache-dir',
    place.path(directories.cache),
    '--apk-cache-dir',
    place.path(directories.apkCache),
    ...(hasPipelines ? ['--pipeline-dirs', place.path(directories.pipelines)] : []),
  ];
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
