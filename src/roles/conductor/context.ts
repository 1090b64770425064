import type { Queues } from '../../jobs/queues.ts';
import type { Logger } from '../../log.ts';
import type { ImageEngineChoice } from '../../model/image-definition.ts';
import type { Policy } from '../../model/policy.ts';
import type { TargetName } from '../../model/target.ts';
import type { DifferencePolicy } from '../../model/verdict.ts';
import type { EngineSettings } from '../../plan/lock-build.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Forge } from '../../ports/forge.ts';
import type { Git, RecipeRepository } from '../../ports/git.ts';
import type { Objects } from '../../ports/objects.ts';
import type { Sources } from '../../ports/sources.ts';
import type { IntervalBounds } from '../../watch/rhythm.ts';
import type { Book } from './book.ts';

export interface ConductorSettings {
  readonly targets: readonly TargetName[];
  /** Where others reach the recipe repository, for SBOMs and provenance; undefined where they cannot. */
  readonly recipeAddress?: string | undefined;
  /** Folder of the recipe repository that holds the recipes and `pipelines/`; `.` is its root. */
  readonly recipesPath: string;
  /** Folder of the recipe repository that holds image definitions. */
  readonly imagesPath: string;
  /** What puts an image together, by its name. */
  readonly imageEngine: (name: string) => ImageEngineChoice;
  /** Registries that published images are brought to; `repository` has `{name}` for the image's. */
  readonly push: readonly { readonly registry: string; readonly repository: string }[];
  /** Whether images and packages are signed by an identity too. */
  readonly keyless: boolean;
  readonly policy: Policy;
  /** Whether a proposal that is green on every target merges by itself. */
  readonly mergeGreen: boolean;
  /** How often an upstream is asked: milliseconds from one look to the next. */
  readonly watch: IntervalBounds;
  /** Milliseconds that what the forge said is used again while results come in. */
  readonly forgeRest: number;
  /** Milliseconds between two collections of what nothing uses; 0: only when someone asks. */
  readonly collectInterval: number;
  /** Which part of the builds is made a second time (0 to 1), and what a difference comes to; undefined: none is. */
  readonly rebuild?: { readonly part: number; readonly difference: DifferencePolicy } | undefined;
  /** Where people reach the api, for links in proposals. */
  readonly publicUrl: string | undefined;
}

/** Everything that the parts of the conductor work with. */
export interface ConductorContext {
  readonly book: Book;
  readonly objects: Objects;
  readonly queues: Queues;
  readonly forge: Forge;
  readonly repository: RecipeRepository;
  readonly git: Git;
  readonly sources: Sources;
  readonly clock: Clock;
  readonly log: Logger;
  readonly settings: ConductorSettings;
  /** Texts of regrow's own pipelines by name. */
  readonly builtinPipelines: ReadonlyMap<string, string>;
  /** Names of packages that the builders' hosts stand in for. */
  readonly hostPackages: ReadonlySet<string>;
  /** Which engine builds what. */
  readonly engines: EngineSettings;
}
