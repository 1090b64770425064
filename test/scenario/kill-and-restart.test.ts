import { beforeAll, expect, test } from 'vitest';
import type { LedgerEvent } from '../../src/model/event.ts';
import { type Life, live, type Outcome } from './support/lives.ts';
import { story } from './support/story.ts';

/**
 * The whole daemon on fakes and a clock that stands still until it is turned. A step is a job that was done. The story has
 * about a hundred; killing once a run would take as many runs, so a run kills again and again: those that begin with an even
 * step after every `stride`-th. Those that begin with an odd one also empty Redis, and kill half as often, because a daemon
 * then asks every source again before it comes to something new. Together they kill after every step.
 */
const stride = 8;
interface Numbered extends Life {
  readonly start: number;
  readonly every: number;
}
const lives: readonly Numbered[] = Array.from({ length: 2 * stride }, (_, start) => ({
  start,
  flush: start % 2 === 1,
  every: start % 2 === 1 ? 2 * stride : stride,
}))
  .filter(({ start, flush }) => flush || start < stride)
  .map((life) => ({ ...life, killAfter: (settled) => settled % life.every === life.start }));
/** A daemon does not die between two jobs only: these are killed while one runs, when it has just written something. */
const writeStride = 24;
const interrupted: readonly (Life & { readonly start: number })[] = [0, 6, 12, 18].map((start) => ({
  start,
  flush: start % 12 === 0,
  killAfter: () => false,
  killAtWrite: (written) => written % writeStride === start,
}));
const everyStep: Life = { killAfter: () => true, flush: false };
/** Lives that are led at the same time: one in which a daemon waits for the locks of a dead one to run out costs nothing. */
const atOnce = 4;
const patience = 300_000;

/** What people are told, and what must be told once and no more, whatever happened in between. */
const milestones: readonly LedgerEvent['kind'][] = [
  'advisory-seen',
  'build-passed',
  'decided',
  'finding-closed',
  'finding-opened',
  'proposal-merged',
  'proposed',
  'published',
  'release-seen',
  'verified',
];

/** An event without what is of one run: its time, how long things took, ports, and which generation it was. */
function told({ events }: Outcome): readonly string[] {
  const facts = ['version', 'source', 'tag', 'advisory', 'target'];
  return events
    .filter(({ kind }) => milestones.includes(kind))
    .map((event) => [event.kind, event.package, ...facts.map((fact) => event.facts[fact])].filter(Boolean).join(' '))
    .toSorted();
}

/** Leads the lives in order, some at a time; gives a promise of what came of each. */
function leadAll(all: readonly Life[]): readonly Promise<Outcome>[] {
  const outcomes: Promise<Outcome>[] = [];
  for (const [index, life] of all.entries()) {
    const before = outcomes.slice(0, index).map((one) => one.catch(() => undefined));
    const turn = index < atOnce ? Promise.resolve() : settledCount(before, index - atOnce + 1);
    outcomes.push(turn.then(() => live(life)));
  }
  // Each is looked at by its test; a failure before that is not unhandled.
  for (const outcome of outcomes) outcome.catch(() => undefined);
  return outcomes;
}

/** Resolves when this many of the promises have. */
function settledCount(promises: readonly Promise<unknown>[], count: number): Promise<void> {
  return new Promise((go) => {
    let settled = 0;
    for (const promise of promises) {
      void promise.then(() => {
        settled += 1;
        if (settled === count) go();
      });
    }
  });
}

let whole: Outcome;
let led: readonly Promise<Outcome>[] = [];

beforeAll(async () => {
  whole = await live({ killAfter: () => false, flush: false });
  led = leadAll([everyStep, ...lives, ...interrupted]);
}, 90_000);

async function outcomeAt(index: number): Promise<Outcome> {
  const outcome = await led[index];
  if (outcome === undefined) throw new Error('this life was not led');
  return outcome;
}

function expectTheSame(outcome: Outcome): void {
  expect(outcome.packages, 'published packages').toEqual(whole.packages);
  expect(outcome.images, 'images').toEqual(whole.images);
  expect(outcome.pulls, 'pull requests').toEqual(whole.pulls);
  expect(outcome.queues, 'jobs left').toEqual(whole.queues);
  expect(outcome.problems, 'problems').toEqual([]);
  expect(told(outcome), 'what is told').toEqual(told(whole));
}

test('undisturbed, every update is one pull request that merged, and nothing is left over', () => {
  expect(whole.pulls.map(({ title }) => title)).toEqual(story.at(-1)?.titles);
  expect(whole.pulls.every(({ merged }) => merged)).toBe(true);
  expect(Object.keys(whole.packages)).toHaveLength(7);
  expect(whole.images).toHaveLength(story.length);
  expect(Object.values(whole.queues).every((count) => count === 0)).toBe(true);
  expect(whole.problems).toEqual([]);
  expect(new Set(told(whole)).size).toBe(told(whole).length);
  const runs = `${lives.length} runs kill after each of them between them, one kills after all`;
  console.log(`the story has ${whole.settled} steps and ${whole.written} writes; ${runs}`);
});

test.each(lives)(
  'killed after step $start and every $every from there, Redis emptied: $flush',
  { timeout: patience },
  async (life) => {
    const outcome = await outcomeAt(lives.indexOf(life) + 1);
    console.log(`from step ${life.start}: ${outcome.kills} kills, ${outcome.settled} steps`);
    expectTheSame(outcome);
    expect(outcome.kills).toBeGreaterThan(4);
  },
);

test.each(interrupted)(
  `killed at write $start and every ${writeStride} from there, Redis emptied: $flush`,
  { timeout: patience },
  async (life) => {
    const outcome = await outcomeAt(1 + lives.length + interrupted.indexOf(life));
    console.log(`from write ${life.start}: ${outcome.kills} kills, ${outcome.written} writes`);
    expectTheSame(outcome);
    expect(outcome.kills).toBeGreaterThan(2);
  },
);

test('killed after every single step of one story', { timeout: patience }, async () => {
  const outcome = await outcomeAt(0);
  console.log(`after every step: ${outcome.kills} kills, ${outcome.settled} steps`);
  expectTheSame(outcome);
  expect(outcome.kills).toBeGreaterThan(50);
});
