import type { MelangeProgram } from '../../model/build.ts';
import type { Arch } from '../../model/target.ts';
import type { Exec } from '../../ports/exec.ts';
import type { Git } from '../../ports/git.ts';
import type { Sources } from '../../ports/sources.ts';
import type { StepWatch } from '../../ports/step-watch.ts';
import type { Workspaces } from '../../ports/workspace.ts';
import type { BuildRunContext } from '../build-run.ts';

/** What the melange engine works with; the same for every build. */
export interface MelangeEngineContext extends BuildRunContext {
  readonly workspaces: Workspaces;
  readonly exec: Exec;
  readonly sources: Sources;
  readonly git: Git;
  readonly stepWatch: StepWatch;
  /** Architectures that recipes are run for here: this machine's, and those that it emulates. */
  readonly arches: readonly Arch[];
  /** Absolute path of melange. Throws tool.missing where there is none. */
  readonly program: () => Promise<string>;
  /** Absolute path of bubblewrap. Throws tool.missing where there is none. */
  readonly bubblewrap: () => Promise<string>;
  /** Whether this process is root: then steps run as another user in a user namespace. */
  readonly isRoot: boolean;
  /** Of the melange process: `DOCKER_HOST`, `QEMU_KERNEL_IMAGE`. */
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: {
    /** Milliseconds that a build, or the tests of one, may take where the recipe does not say. */
    readonly timeout: number;
    /** Bytes of output of one build, its tests included. */
    readonly outputLimit: number;
    /** Processes of one step at a time, with bubblewrap. */
    readonly processLimit: number;
  };
  /** Texts of the pipelines that come with regrow, by name: melange has its own of those names. */
  readonly shippedPipelines: ReadonlyMap<string, string>;
  /** Namespace of package URLs in SBOMs. */
  readonly namespace: string;
}

/** Directories of a build, relative to its workspace. */
export const directories = {
  /** The recipe, by its name. */
  recipe: 'recipe',
  /** Files beside the recipe: what `/home/build` begins with. */
  source: 'source',
  /** Pipelines of the distribution. */
  pipelines: 'pipelines',
  /** Packages to build with. */
  repository: 'repository',
  /** Packages to test with, those that were built among them. */
  testRepository: 'test-repository',
  keys: 'keys',
  /** Sources that are fetched and checked: what `/var/cache/melange` is. */
  cache: 'cache',
  /** Where melange keeps what it unpacks of packages. */
  apkCache: 'apk-cache',
  out: 'out',
  temporary: 'tmp',
  home: 'home',
  /** The `bwrap` that melange finds. */
  programs: 'bin',
} as const;

/** What every bwrap says of its sandbox, relative to the workspace. */
export const statusFile = 'sandboxes';
/** What stands in front of that for each. */
export const sandboxBegins = 'begins';

/** Where steps see the directory of sources. */
export const cacheInGuest = '/var/cache/melange';

/** A place in which melange runs. */
export interface MelangePlace {
  /** Absolute path of a directory of the workspace. */
  path(directory: string): string;
  /** Relative to where melange runs, as the SBOM names the recipe so. */
  readonly recipeFile: string;
  /** Leads from there to the top of the workspace. */
  readonly up: string;
  /** Relative to the workspace. */
  readonly keyFile: string;
  readonly melange: MelangeProgram;
}
