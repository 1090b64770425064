import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { createFsObjects } from '../../../src/adapters/objects/fs.ts';
import { RegrowError } from '../../../src/errors.ts';
import { createQueues, type Queues } from '../../../src/jobs/queues.ts';
import type { SettledJob } from '../../../src/jobs/worker.ts';
import { compareApkVersions } from '../../../src/model/apk-version.ts';
import type { LedgerEvent } from '../../../src/model/event.ts';
import type { ImagePublication } from '../../../src/model/publication.ts';
import type { Objects } from '../../../src/ports/objects.ts';
import { createRepositoryView } from '../../../src/report/repository.ts';
import type { Daemon } from '../../../src/roles/daemon.ts';
import { statePaths } from '../../../src/roles/parts.ts';
import { judgeBuilds } from '../../../src/roles/verifying.ts';
import { testLog } from '../../support/log.ts';
import { createSmallDistribution, type SmallDistribution, target } from './small-distribution.ts';
import { beginning, type Chapter, imageRef, story } from './story.ts';

/** Real milliseconds in which something must settle or be written, however slow the machine; and between two looks. */
const patience = 60_000;
const glance = 10;
/** Virtual milliseconds: to the next look at every source and feed, and of rest where nothing goes on by itself. */
const untilNextWatch = 31 * 60_000;
const rest = 61_000;

export interface Life {
  /** Whether the daemon is killed now that this many of the story's jobs are settled. */
  readonly killAfter: (settled: number) => boolean;
  /**
   * Whether it is killed now that this many things were written into the object store: in the middle of a job, and a write
   * of a dead daemon does not happen. Default: never.
   */
  readonly killAtWrite?: (written: number) => boolean;
  /** Whether Redis is emptied as well. */
  readonly flush: boolean;
}

/** What can be seen when the story is through. */
export interface Outcome {
  readonly settled: number;
  /** Writes into the object store. */
  readonly written: number;
  readonly kills: number;
  /** `NAME-VERSION` to digest. */
  readonly packages: Readonly<Record<string, string>>;
  /** Digest of the image at the end of every chapter. */
  readonly images: readonly string[];
  /** By number. */
  readonly pulls: readonly { readonly title: string; readonly merged: boolean; readonly head: string }[];
  readonly queues: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
  readonly events: readonly LedgerEvent[];
  readonly log: readonly Record<string, unknown>[];
}

/** Tells the whole story to daemons that are killed and started again on what the last one left. */
export async function live({ killAfter, flush, killAtWrite = () => false }: Life): Promise<Outcome> {
  let verifier: Awaited<ReturnType<typeof createFsObjects>> | undefined;
  const small = await createSmallDistribution({ files: {}, prepare: beginning, startNow: false });
  const queues = createQueues({
    redis: { socket: small.redis.socket },
    targets: [target],
    log: testLog('silent').log,
    clock: small.clock,
  });
  let settled = 0;
  let written = 0;
  let kills = 0;
  let daemonNumber = 0;
  let daemon: Daemon | undefined;
  /** Set when the daemon has to go: also while it is still starting. */
  let doomed = false;
  let death: Promise<void> | undefined;
  let wake: () => void = () => undefined;

  function onSettled({ outcome }: SettledJob): void {
    if (doomed || outcome !== 'completed') return;
    settled += 1;
    if (killAfter(settled)) die();
  }

  function die(): void {
    doomed = true;
    death = daemon?.kill();
    wake();
  }

  /** The object store of one daemon, which dies with it. */
  function mortal(objects: Objects): Objects {
    const mine = daemonNumber;
    const write = async <T>(work: () => Promise<T>): Promise<T> => {
      if (doomed || mine !== daemonNumber) throw new RegrowError('aborted', 'the daemon is dead', { retry: 'now' });
      written += 1;
      const done = await work();
      if (!doomed && mine === daemonNumber && killAtWrite(written)) die();
      return done;
    };
    return {
      ...objects,
      put: (key, bytes) => write(() => objects.put(key, bytes)),
      swap: (key, bytes, etag, guard) => write(() => objects.swap(key, bytes, etag, guard)),
      remove: (key, guard) => write(() => objects.remove(key, guard)),
    };
  }

  async function start(): Promise<void> {
    const objects = (verifier ??= await createFsObjects(
      statePaths({ stateDirectory: join(small.directory, 'state') }).objects,
    ));
    daemonNumber += 1;
    const mine = daemonNumber;
    const starting = small.start({
      // A worker that was killed may still say what became of its last job.
      onSettled: (job) => {
        if (mine === daemonNumber) onSettled(job);
      },
      wrapObjects: mortal,
      leaseTime: 600,
      // Here it is never the job that kills its worker.
      timings: { lock: 900, stalled: 150, pauseFactor: 0.005, abandonments: 1000 },
      verify: (request) => judgeBuilds(objects, request, small.clock.now().toISOString()),
    });
    // One that has to go while it starts may not get to its feet at all.
    daemon = await starting.catch((thrown: unknown) => {
      if (doomed) return undefined;
      throw thrown;
    });
    if (doomed) death = daemon?.kill();
  }

  /** Buries a daemon that was killed, and starts the next one. */
  async function restart(): Promise<void> {
    while (doomed) {
      await death;
      kills += 1;
      if (flush) await small.redis.client.flushall();
      doomed = false;
      death = undefined;
      daemon = undefined;
      await start();
    }
    await tick();
  }

  /** A daemon that dies meanwhile is not waited for. */
  async function tick(): Promise<void> {
    const dies = new Promise<void>((go) => {
      wake = go;
    });
    if (!doomed) await Promise.race([daemon?.tick().catch(ignoreWhen(() => doomed)), dies]);
  }

  async function tell(chapter: Chapter): Promise<void> {
    await chapter.happens(small);
    small.clock.advance(untilNextWatch);
    await tick();
    let late = Date.now() + patience;
    let seen = settled + written;
    for (;;) {
      if (settled + written > seen) {
        seen = settled + written;
        late = Date.now() + patience;
      }
      if (doomed) await restart();
      // Twice, because a job may have moved from one queue to another between the two counts.
      else if ((await isIdle(queues)) && (await isIdle(queues))) {
        const missing = await missingOf(small, chapter);
        if (missing.length === 0) return;
        if (Date.now() > late) throw new Error(`${chapter.name}: ${missing.join('; ')}\n${await lately(small)}`);
        small.clock.advance(rest);
        await tick();
      } else if (Date.now() > late) {
        throw new Error(`${chapter.name}: jobs do not end\n${await lately(small)}`);
      }
      await new Promise((go) => setTimeout(go, glance));
    }
  }

  try {
    await start();
    const images: string[] = [];
    for (const chapter of story) {
      await tell(chapter);
      images.push((await imageOf(small))?.digest ?? '');
    }
    return await outcomeOf(small, queues, { settled, written, kills, images });
  } finally {
    await queues.close();
    await small.close();
  }
}

function ignoreWhen(isDead: () => boolean): (thrown: unknown) => void {
  return (thrown) => {
    if (!isDead()) throw thrown;
  };
}

async function isIdle(queues: Queues): Promise<boolean> {
  const counts = Object.values(await queues.counts());
  return counts.every(({ waiting, active, delayed }) => waiting + active + delayed === 0);
}

async function viewOf(small: SmallDistribution) {
  return createRepositoryView(await small.objects());
}

async function imageOf(small: SmallDistribution): Promise<ImagePublication | undefined> {
  return (await (await viewOf(small)).images()).images.find((image) => image.ref === imageRef);
}

/** What a chapter still lacks, for people. */
async function missingOf(small: SmallDistribution, chapter: Chapter): Promise<readonly string[]> {
  const missing: string[] = [];
  const published = Object.keys(await small.published());
  const image = await imageOf(small);
  for (const [name, version] of Object.entries(chapter.newest)) {
    const versions = published.flatMap((one) => (one.startsWith(`${name}-`) ? [one.slice(name.length + 1)] : []));
    const newest = versions.toSorted(compareApkVersions).at(-1);
    if (newest !== version) missing.push(`${name} is published at ${newest ?? 'no version'}, not ${version}`);
    const inside = image?.platforms[0]?.packages.find((one) => one.name === name)?.version;
    if (inside !== version) missing.push(`the image has ${name} ${inside ?? 'not at all'}, not ${version}`);
  }
  const said = image?.vulnerabilities ?? [];
  if (!isDeepStrictEqual(said, chapter.vulnerabilities)) missing.push(`the image is said to have ${said.join(', ')}`);
  await small.read(async (ledger) => {
    const known = await ledger.get('image', imageRef);
    if (!isDeepStrictEqual(known?.value, image)) missing.push('the ledger does not know the image');
    const found = (await ledger.list('finding')).map(({ value }) => value.advisory);
    if (!isDeepStrictEqual(found, chapter.vulnerabilities)) missing.push(`the ledger has found ${found.join(', ')}`);
    for (const kind of ['wait', 'problem'] as const) {
      for (const { key } of await ledger.list(kind)) missing.push(`the ledger has the ${kind} ${key}`);
    }
  });
  return missing;
}

async function outcomeOf(
  small: SmallDistribution,
  queues: Queues,
  rest: Pick<Outcome, 'settled' | 'written' | 'kills' | 'images'>,
): Promise<Outcome> {
  const counts = Object.entries(await queues.counts());
  return {
    ...rest,
    packages: await small.published(),
    pulls: small.os.pulls().map(({ title, mergedAt, head }) => ({ title, merged: mergedAt !== null, head })),
    queues: Object.fromEntries(
      counts.map(([name, { waiting, active, delayed, failed }]) => [name, waiting + active + delayed + failed]),
    ),
    problems: (await small.problems()).map(({ code, name, message }) => `${name}: ${code}: ${message}`),
    events: await small.events(),
    log: small.lines.filter(({ level }) => Number(level) >= 40),
  };
}

async function lately(small: SmallDistribution): Promise<string> {
  const events = (await small.events()).slice(-15).map(({ kind, text }) => `  ${kind}: ${text}`);
  const log = small.lines.filter(({ level }) => Number(level) >= 40).slice(-8);
  return [...events, ...log.map((line) => `  ${JSON.stringify(line).slice(0, 500)}`)].join('\n');
}
