import type { Finding } from '../model/finding.ts';
import type { ReleaseObservation, SourceChoice, WatchFailure } from '../model/observation.ts';
import type { Policy } from '../model/policy.ts';
import type { Recipe } from '../model/recipe/recipe.ts';
import type { AdvisoryIndex } from './advisory-index.ts';
import type { PinnedTag } from './moved-tag.ts';
import type { NothingNew } from './new-pins.ts';
import type { Past, RecipeChange } from './past-updates.ts';

/** The facts about one package that a decision is made from. */
export interface DecideInput extends Past {
  readonly recipe: Recipe;
  /** Where its releases are seen; undefined where regrow has no source for it. */
  readonly source: SourceChoice | undefined;
  /** The last good answer of that source. */
  readonly observation?: ReleaseObservation | undefined;
  /** The last failed attempt to ask it, where there was one after the last good answer or before any. */
  readonly failure?: WatchFailure | undefined;
  /** Known vulnerabilities of the package at the recipe's version. */
  readonly findings: readonly Finding[];
  /** Where given, whether a release fixes a finding is read from the records themselves, not from their `fixedIn` alone. */
  readonly advisories?: AdvisoryIndex | undefined;
  readonly policy: Policy;
  /** Tags that are built, and the commits that they are pinned to; without it, what the recipe says. */
  readonly pinned?: readonly PinnedTag[] | undefined;
  /** Where an update of this very recipe was about to be proposed and would have pinned nothing new. */
  readonly nothingNew?: NothingNew | undefined;
  /** Who changed the recipe last: said where main went back from an update. */
  readonly lastChange?: RecipeChange | undefined;
  readonly now: Date;
}
