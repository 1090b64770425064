import { resultKey } from '../effects.ts';
import type { ConductorContext } from './context.ts';
import { isDoubt } from './refusals.ts';

const day = 24 * 3_600_000;
/** When it was last tidied. */
const tidied = 'conductor/tidied';
/** How long what is over is kept, milliseconds: longer than any queue remembers a job. */
const kept = 7 * day;
/** How long it is kept that something was asked for that never came. */
const longKept = 30 * day;
/** Rows about one proposal: `KIND/NUMBER`, for some with more behind. */
const aboutProposal = /^(?:shown|judged|tip|moved|followers)\/(\d+)(?:$|\/)/;
const aboutHead = /^(?:shown|judged)\/\d+\/([0-9a-f]+)(?:$|\/)/;

/**
 * Once a day: removes what was noted about jobs that are done, about proposals that have ended, about heads that are gone, about
 * verdicts that were not believed long ago, and what sources said that no recipe watches any more.
 */
export async function tidy(context: Pick<ConductorContext, 'book' | 'clock' | 'objects'>): Promise<void> {
  const { book, clock } = context;
  const now = clock.now();
  const last = book.get('cursor', tidied)?.value.cursor;
  if (last !== undefined && now.getTime() - Date.parse(last) < day) return;
  const heads = new Map<string, string>();
  for (const { value } of book.all('proposal')) {
    if (value.state === 'open') heads.set(String(value.number), value.head);
  }
  for (const { key, value, at } of book.all('cursor')) {
    const age = now.getTime() - Date.parse(at);
    if (age < kept) continue;
    const proposal = aboutProposal.exec(key)?.[1];
    const isOver =
      proposal === undefined
        ? isDoubt(key) ||
          (key.startsWith('job/') && (await isDone(context, key.slice('job/'.length), value.cursor, age)))
        : !heads.has(proposal) || (aboutHead.exec(key)?.[1] ?? heads.get(proposal)) !== heads.get(proposal);
    if (isOver) await book.remove('cursor', key);
  }
  for (const { key: source, value, at } of book.all('watch')) {
    if (value.packages.length > 0 || now.getTime() - Date.parse(at) < kept) continue;
    await book.remove('observation', `release/${source}`);
    await book.remove('cursor', `watch/${source}`);
    await book.remove('watch', source);
  }
  await book.put('cursor', tidied, { cursor: now.toISOString() });
}

/** Whether a job's count may start at 1 again: one that still waits under a later number would be there twice. */
async function isDone(
  { objects }: Pick<ConductorContext, 'objects'>,
  effect: string,
  attempt: string | undefined,
  age: number,
): Promise<boolean> {
  return attempt === '1' || age >= longKept || objects.has(resultKey(effect));
}
