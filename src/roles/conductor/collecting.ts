import type { JobPayload } from '../../jobs/catalogue.ts';
import type { BuildAttempt } from '../../model/build.ts';
import { canonicalJson, sha256 } from '../../model/canonical.ts';
import type { Amounts } from '../../model/collection.ts';
import type { Purpose } from '../../model/plan.ts';
import type { CollectRequest } from '../../model/request.ts';
import type { CollectedResult } from '../../model/result.ts';
import { latestBuilds } from '../../report/builds.ts';
import { amountText, totalOf } from '../../report/collection.ts';
import { readResult, requestDigest, storeRequest } from '../effects.ts';
import type { PurposePlan } from './building.ts';
import type { ConductorContext } from './context.ts';
import { ensureJob } from './ensure.ts';
import { secondBuildKey } from './repeating.ts';

/** Cursors: when it was collected last; the request that is on its way; what people asked for. */
const last = 'collection/last';
const pending = 'collection/pending';
const ordered = { whole: 'collection/ordered/whole', dry: 'collection/ordered/dry' } as const;

type Context = Pick<ConductorContext, 'book' | 'objects' | 'queues' | 'clock' | 'log' | 'settings'>;

/** Someone asks for a collection; the next round has it done. */
export async function orderCollection({ book }: Context, { dry, slot }: JobPayload<'order-collection'>): Promise<void> {
  await book.put('cursor', dry ? ordered.dry : ordered.whole, { cursor: String(slot) });
}

/**
 * Has the publisher remove what nothing uses, once in a while and when someone asks: it is told what the ledger still needs, as
 * far as the store does not say so itself. One at a time; what came of it is told.
 */
export async function followCollection(context: Context, plans: ReadonlyMap<Purpose, PurposePlan>): Promise<void> {
  const { book, objects, clock } = context;
  const key = book.get('cursor', pending)?.value.cursor;
  if (key !== undefined && (await objects.has(key))) {
    const effect = `collect-${requestDigest(key)}`;
    const result = await readResult(objects, effect, 'collected');
    if (result === undefined) {
      await ensureJob(context, 'collect', effect, (attempt) => ({ request: key, attempt }));
      return;
    }
    await tellCollected(context, result);
    await book.remove('cursor', pending);
  }
  const dry = await whatIsDue(context);
  if (dry === undefined) return;
  const at = clock.now().toISOString();
  const request = await storeRequest(objects, { kind: 'collect', at, dry, ...wantedOf(context, plans) });
  await book.put('cursor', pending, { cursor: request });
  await book.remove('cursor', dry ? ordered.dry : ordered.whole);
  if (!dry) await book.put('cursor', last, { cursor: at });
  await followCollection(context, plans);
}

/** Whether to look only; undefined: nothing is due. The first one comes an interval after the first round. */
async function whatIsDue({ book, clock, settings }: Context): Promise<boolean | undefined> {
  if (book.get('cursor', ordered.whole) !== undefined) return false;
  if (book.get('cursor', ordered.dry) !== undefined) return true;
  const now = clock.now();
  const before = book.get('cursor', last)?.value.cursor;
  if (before === undefined) await book.put('cursor', last, { cursor: now.toISOString() });
  if (before === undefined || settings.collectInterval === 0) return undefined;
  const age = now.getTime() - Date.parse(before);
  // A clock that was put back has no say in when.
  return age >= settings.collectInterval || age < 0 ? false : undefined;
}

/** Builds that are planned, with their second ones, or run; and the newest of each package on each target, for its log. */
function wantedOf(
  { book }: Context,
  plans: ReadonlyMap<Purpose, PurposePlan>,
): Pick<CollectRequest, 'builds' | 'inputs' | 'logs'> {
  const builds = new Set<string>();
  const inputs = new Set<string>();
  for (const { builds: planned } of plans.values()) {
    for (const { buildKey, attempt, request } of planned) {
      builds.add(buildKey);
      builds.add(secondBuildKey(buildKey));
      inputs.add(attempt?.request ?? sha256(canonicalJson(request)));
    }
  }
  const all = [...book.all('build')].map(({ value }) => value);
  for (const { buildKey, state, request } of all) {
    if (state === 'queued') builds.add(buildKey);
    if (builds.has(buildKey)) inputs.add(request);
  }
  const [firsts, seconds] = [all.filter(isFirst), all.filter((one) => !isFirst(one))];
  const logs = new Set([...latestBuilds(firsts), ...latestBuilds(seconds)].map(({ buildKey }) => buildKey));
  return { builds: [...builds].toSorted(), inputs: [...inputs].toSorted(), logs: [...logs].toSorted() };
}

function isFirst({ repeats }: BuildAttempt): boolean {
  return repeats === undefined;
}

async function tellCollected({ book }: Context, { effect, at, collection, failure }: CollectedResult): Promise<void> {
  if (failure !== undefined) {
    await book.tell({
      id: `problem/${effect}`,
      kind: 'problem',
      text: `nothing was removed from the object store: ${failure.message}`,
      facts: failure.code === undefined ? {} : { code: failure.code },
      at,
    });
    return;
  }
  if (collection === undefined || collection.dry) return;
  const { removed, waiting, missing } = collection;
  await book.tell({
    id: `collected/${effect}`,
    kind: 'collected',
    text: `${amountText(removed)} that nothing used were removed; ${amountText(waiting)} are unused, and wait${missingText(missing)}`,
    facts: factsOf(removed),
    at,
  });
}

function missingText(missing: readonly string[]): string {
  return missing.length === 0 ? '' : `. The store is damaged, ${missing[0]} is not there`;
}

function factsOf(removed: Amounts): Record<string, number> {
  const { objects, bytes } = totalOf(removed);
  return { objects, bytes };
}
