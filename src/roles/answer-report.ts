import type { Queues } from '../jobs/queues.ts';
import { digestOf } from '../model/canonical.ts';
import type { WatchAnswer, WatchedResult } from '../model/result.ts';
import type { Clock } from '../ports/clock.ts';
import type { Objects } from '../ports/objects.ts';
import type { PollAnswer } from '../watch/source.ts';
import { report, requestDigest } from './effects.ts';

/** What one result holds at most, so that none is too large to be read at once. */
const mostAnswers = 50;
const mostTags = 10_000;
/** Milliseconds that an answer waits for others. */
const longestWait = 5000;

export interface AnswerReport {
  /** Takes one answer. */
  add(source: string, answer: PollAnswer): Promise<void>;
  /** Leaves what was not left yet; `end` where nothing comes after. */
  leave(end?: WatchedResult['end']): Promise<void>;
}

/** Leaves the answers to one request in pieces as they come, so that nothing that was told is lost when the poller dies. */
export function createAnswerReport(
  { objects, queues, clock }: { readonly objects: Objects; readonly queues: Queues; readonly clock: Clock },
  request: string,
): AnswerReport {
  let answers: WatchAnswer[] = [];
  let tags = 0;
  let since = 0;

  async function leave(end?: WatchedResult['end']): Promise<void> {
    if (answers.length === 0 && end === undefined) return;
    const piece = answers;
    answers = [];
    tags = 0;
    // What is said again is remembered and left alone, so other answers to the same request have another name.
    const content = { end, answers: piece.map(withoutTime) };
    await report(objects, queues, {
      kind: 'watched',
      effect: `watched-${requestDigest(request).slice(0, 32)}-${digestOf(content).slice(0, 16)}`,
      at: clock.now().toISOString(),
      request,
      answers: piece,
      ...(end === undefined ? {} : { end }),
    });
  }

  return {
    leave,
    async add(source, answer) {
      const now = clock.now().getTime();
      if (answers.length === 0) since = now;
      answers.push(answerOf(source, answer));
      if (answer.kind === 'observed') tags += answer.observation.tags.length;
      if (answers.length >= mostAnswers || tags >= mostTags || now - since >= longestWait) await leave();
    },
  };
}

function answerOf(source: string, answer: PollAnswer): WatchAnswer {
  if (answer.kind === 'unchanged') return { kind: 'unchanged', source };
  if (answer.kind === 'failed') return { kind: 'failed', source, failure: answer.failure };
  const { observation, cursor } = answer;
  return { kind: 'observed', source, observation, ...(cursor === undefined ? {} : { cursor }) };
}

function withoutTime(answer: WatchAnswer): WatchAnswer {
  if (answer.kind === 'observed') return { ...answer, observation: { ...answer.observation, observedAt: '' } };
  if (answer.kind === 'failed') return { ...answer, failure: { ...answer.failure, observedAt: '' } };
  return answer;
}
