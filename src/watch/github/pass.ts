import { RegrowError, toRegrowError } from '../../errors.ts';
import type { Repositories, RepositoryAnswer } from '../../ports/releases.ts';
import type { PollRequest } from '../source.ts';
import { type Entry, entriesOf, giveUp, noteFailure, questionOf, type Settle, takeIn, triedEnough } from './agenda.ts';

/** Repositories in one question: at first, at most, and how many more after each that was answered. */
const firstSize = 50;
const mostSize = 100;
const growth = 5;
/** Questions at the same time: GitHub asks for few, and allows a second of its computing for each second. */
const together = 2;
/** So many questions in a row without an answer: the host does not answer anyone. */
export const patience = 6;

/** The codes that are about the host or the repository. Everything else is nobody's failure, and is thrown. */
const tellable: ReadonlySet<string> = new Set([
  'upstream.unreachable',
  'upstream.not-found',
  'upstream.answer-invalid',
  'forge.unauthorized',
  'forge.refused',
]);

/** Those after which a smaller question may be answered: a large one takes long, or its answer is cut. */
const perhapsSmaller: ReadonlySet<string> = new Set(['upstream.unreachable', 'upstream.answer-invalid']);

/**
 * Asks for many lists in few questions and settles each once. A question that is not answered is put again in halves, so that a
 * repository that makes a question fail ends up alone; after each that is answered the next may be a little larger.
 * Throws upstream.rate-limited after everything that could still be asked was; what is not about the host at once.
 */
export async function askRepositories(
  requests: readonly PollRequest[],
  repositories: Repositories,
  signal: AbortSignal | undefined,
  settle: Settle,
): Promise<void> {
  let queue = entriesOf(requests);
  let size = firstSize;
  let failuresInRow = 0;
  let limited: RegrowError | undefined;
  let broken: RegrowError | undefined;

  /** The next question's repositories; urgent ones are never mixed with others, who would use what is kept back for them. */
  function nextBatch(): Entry[] {
    const [first] = queue;
    if (first === undefined || broken !== undefined) return [];
    const batch: Entry[] = [];
    let most = size;
    for (const entry of queue) {
      most = Math.min(most, entry.most);
      if (entry.urgent !== first.urgent || batch.length >= most) break;
      batch.push(entry);
    }
    queue = queue.slice(batch.length);
    return batch;
  }

  /** What still has something to ask goes to the front of its kind, so that what was begun is finished first. */
  function putBack(entries: readonly Entry[]): void {
    const urgent = [...entries, ...queue].filter((entry) => entry.urgent);
    const others = [...entries, ...queue].filter((entry) => !entry.urgent);
    queue = [...urgent, ...others];
  }

  async function takeAnswers(batch: readonly Entry[], answers: readonly RepositoryAnswer[]): Promise<void> {
    failuresInRow = 0;
    const leftOut = batch.filter((_, index) => hasGaps(answers[index]));
    size = leftOut.length > 0 ? Math.max(1, Math.floor(batch.length / 2)) : Math.min(mostSize, size + growth);
    for (const entry of batch) entry.most = Number.POSITIVE_INFINITY;
    for (const entry of leftOut) noteFailure(entry, batch.length);
    for (const [index, entry] of batch.entries()) await takeIn(entry, answers[index]?.pages ?? {}, settle);
    putBack(batch.filter(({ lists }) => lists.size > 0));
  }

  async function takeFailure(batch: readonly Entry[], error: RegrowError): Promise<void> {
    if (error.code === 'upstream.rate-limited') {
      limited = error;
      // What is kept back for urgent ones may still be there for them.
      const urgent = batch.some((entry) => entry.urgent);
      queue = urgent ? [] : queue.filter((entry) => entry.urgent);
      return;
    }
    if (!tellable.has(error.code)) throw error;
    if (perhapsSmaller.has(error.code)) {
      failuresInRow += 1;
      size = Math.max(1, Math.floor(batch.length / 2));
      for (const entry of batch) noteFailure(entry, batch.length);
      const over = failuresInRow >= patience;
      for (const entry of batch) if (over || triedEnough(entry)) await giveUp(entry, error, settle);
      putBack(batch.filter(({ lists }) => lists.size > 0));
      if (!over) return;
    } else {
      for (const entry of batch) await giveUp(entry, error, settle);
    }
    const rest = queue;
    queue = [];
    for (const entry of rest) await giveUp(entry, error, settle);
  }

  async function work(): Promise<void> {
    for (let batch = nextBatch(); batch.length > 0; batch = nextBatch()) {
      try {
        const urgent = batch.some((entry) => entry.urgent);
        const answers = await askOrThrow(batch, urgent);
        if (answers instanceof RegrowError) await takeFailure(batch, answers);
        else await takeAnswers(batch, answers);
      } catch (thrown) {
        broken ??= toRegrowError(thrown);
      }
    }
  }

  async function askOrThrow(
    batch: readonly Entry[],
    urgent: boolean,
  ): Promise<readonly RepositoryAnswer[] | RegrowError> {
    try {
      return await repositories.ask(batch.map(questionOf), { urgent, signal });
    } catch (thrown) {
      return toRegrowError(thrown);
    }
  }

  await Promise.all(Array.from({ length: together }, work));
  if (broken !== undefined) throw broken;
  if (limited !== undefined) throw limited;
}

/** Whether the host left something out that it might give in a smaller answer. */
function hasGaps(answer: RepositoryAnswer | undefined): boolean {
  return Object.values(answer?.pages ?? {}).some((page) => page.kind === 'failed' && page.error.retry === 'now');
}
