import { decide } from '../decide/decide.ts';
import type { DecideInput } from '../decide/input.ts';
import { describeMove } from '../decide/moved-tag.ts';
import { readingOf } from '../decide/reading.ts';
import { candidatesOf } from '../decide/version-rules.ts';
import { type ErrorReport, RegrowError } from '../errors.ts';
import { compareApkVersions } from '../model/apk-version.ts';
import type { Decision } from '../model/decision.ts';
import type { SourceChoice } from '../model/observation.ts';
import type { Recipe } from '../model/recipe/recipe.ts';

/** What `regrow check` says of one package. */
export interface CheckRow {
  readonly package: string;
  /**
   * `behind`: upstream has something newer. `current`: it has not. `moved`: nor that, but the tag that is built now names another
   * commit. `off`: the recipe or the configuration turns updates off. `unknown`: it could not be found out.
   */
  readonly state: 'behind' | 'current' | 'moved' | 'off' | 'unknown';
  /** The recipe's version; absent where the recipe cannot be read. */
  readonly current?: string;
  /** What policy allows now: the recipe's version where it allows nothing newer; absent where nothing is known. */
  readonly wanted?: string;
  /** The newest that the recipe's rules take for a version of it. */
  readonly latest?: string;
  /** ISO 8601: when `latest` was published, where upstream says it, else since when it was seen. */
  readonly publishedAt?: string;
  readonly source?: string;
  readonly chosenBy?: SourceChoice['chosenBy'];
  readonly reason: Decision['reason'] | ErrorReport['code'];
  /** Why it is not further, or that it is up to date. */
  readonly because: string;
  /** The tag that is built, where upstream moved it. */
  readonly movedTag?: NonNullable<Decision['movedTag']>;
  /** ISO 8601: what holds it back ends by itself then. */
  readonly until?: string;
}

/** What is known of a package, as a row. What is wrong with a recipe is its row, and no other's. */
export function checkRow(input: DecideInput): CheckRow {
  const { recipe, source } = input;
  const { name, version } = recipe.package;
  const common = {
    package: name,
    current: version,
    ...(source === undefined ? {} : { source: source.key, chosenBy: source.chosenBy }),
  };
  try {
    const decision = decide(input);
    const { action, reason, to, until, movedTag } = decision;
    const newest = newestOf(input);
    const isBehind = newest !== undefined && compareApkVersions(newest.version, version) > 0;
    const state = isBehind && reason !== 'updates-disabled' ? 'behind' : stateOf(decision);
    return {
      ...common,
      state,
      ...(state === 'unknown' ? {} : { wanted: action === 'bump' && to !== undefined ? to.version : version }),
      ...(newest === undefined ? {} : { latest: newest.version }),
      ...(newest?.publishedAt === undefined ? {} : { publishedAt: newest.publishedAt }),
      reason,
      because: [...new Set(reasons(decision))].join('; '),
      ...(movedTag === undefined ? {} : { movedTag }),
      ...(until === undefined ? {} : { until }),
    };
  } catch (thrown) {
    if (!(thrown instanceof RegrowError)) throw thrown;
    return { ...common, state: 'unknown', reason: thrown.code, because: thrown.message };
  }
}

/** A recipe that cannot be read. */
export function failureRow(name: string, { code, message }: ErrorReport): CheckRow {
  return { package: name, state: 'unknown', reason: code, because: message };
}

/** Of what is not behind. */
function stateOf({ action, reason }: Decision): CheckRow['state'] {
  if (reason === 'updates-disabled') return 'off';
  if (reason === 'moved-tag') return 'moved';
  return action === 'current' || reason === 'downgrade' ? 'current' : 'unknown';
}

/** Of an update, also what else policy says of it (why it is not to the newest), and that the tag of today's version moved. */
function* reasons({ action, reason, because, evidence, movedTag }: Decision): Generator<string> {
  yield because;
  if (action === 'bump') for (const { fact, source } of evidence) if (source === 'policy') yield fact;
  if (movedTag !== undefined && reason !== 'moved-tag') yield describeMove(movedTag);
}

function newestOf({ recipe, source, observation, policy }: DecideInput) {
  const { update, package: named }: Recipe = recipe;
  if (update === undefined || source === undefined || observation === undefined) return undefined;
  const newest = candidatesOf(observation.tags, update, named.name, readingOf(recipe, source, policy)).usable[0];
  if (newest === undefined) return undefined;
  return { version: newest.version, publishedAt: newest.tag.publishedAt ?? newest.tag.seenAt };
}
