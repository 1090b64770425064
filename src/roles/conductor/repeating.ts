import type { Config } from '../../config/schema.ts';
import type { BuildAttempt } from '../../model/build.ts';
import { digestOf } from '../../model/canonical.ts';
import type { DifferencePolicy, Verdict } from '../../model/verdict.ts';
import type { ConductorContext, ConductorSettings } from './context.ts';

/** The configuration's words for which builds are made a second time. */
export function rebuildSettings({ rebuild, sample, difference }: Config['verify']): Pick<ConductorSettings, 'rebuild'> {
  if (rebuild === 'never') return {};
  return { rebuild: { part: rebuild === 'always' ? 1 : sample, difference } };
}

/**
 * What a difference between two builds of a key comes to; undefined where it is built once. The key decides, so that the same
 * build is always in the sample or never.
 */
export function differenceOf({ rebuild }: ConductorSettings, buildKey: string): DifferencePolicy | undefined {
  if (rebuild === undefined) return undefined;
  const place = Number.parseInt(buildKey.slice(0, 8), 16) / 2 ** 32;
  return place >= rebuild.part ? undefined : rebuild.difference;
}

/** The key under which the second build of a build key lies in staging and stands in the ledger. */
export function secondBuildKey(buildKey: string): string {
  return digestOf({ repeats: buildKey });
}

/** The newest attempt at the second build of a build key. */
export function secondAttempt({ book }: Pick<ConductorContext, 'book'>, buildKey: string): BuildAttempt | undefined {
  const key = secondBuildKey(buildKey);
  let newest: BuildAttempt | undefined;
  for (let number = 1; ; number += 1) {
    const attempt = book.get('build', `${key}.${number}`)?.value;
    if (attempt === undefined) return newest;
    newest = attempt;
  }
}

/** Whether a build can be judged: the second one has ended, where there is to be one. */
export function isRepeated(context: Pick<ConductorContext, 'book' | 'settings'>, buildKey: string): boolean {
  if (differenceOf(context.settings, buildKey) === undefined) return true;
  const state = secondAttempt(context, buildKey)?.state;
  return state === 'passed' || state === 'failed';
}

/** Whether a verdict was reached with all that is to be compared today. */
export function isCompared({ rebuild }: Verdict, wanted: DifferencePolicy | undefined): boolean {
  return wanted === undefined || rebuild === 'fail' || rebuild === wanted;
}
