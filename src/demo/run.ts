import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { systemClock } from '../adapters/clock.ts';
import { createSignerFromPem } from '../adapters/keys/signer.ts';
import { openLedger } from '../adapters/ledger.ts';
import { createFsObjects } from '../adapters/objects/fs.ts';
import type { StepClock } from '../build/build-run.ts';
import { loadConfig } from '../config/load.ts';
import type { ConfigInput } from '../config/schema.ts';
import { RegrowError } from '../errors.ts';
import { createLogger } from '../log.ts';
import type { LedgerEvent } from '../model/event.ts';
import type { TargetName } from '../model/target.ts';
import type { Clock } from '../ports/clock.ts';
import { createRepositoryView, generationTargets } from '../report/repository.ts';
import { type Daemon, startDaemon } from '../roles/daemon.ts';
import { statePaths } from '../roles/parts.ts';
import { type Box, boxEcosystem, boxOwner, boxRepository, createBox } from './box.ts';
import { demoKey, demoKeyName } from './demo-key.ts';
import { type DemoEvent, events, type Published, startSettled } from './events.ts';
import { hostLibcVersion } from './host-libc-version.ts';
import { type DemoSummary, summarise } from './summary.ts';

export interface DemoOptions {
  /** Folder that is the demo's own: emptied at the start. */
  readonly directory: string;
  /** Ends by itself when the story is told. */
  readonly once: boolean;
  /** Where the page is to be; another port where it is taken. */
  readonly port: number;
  /** A line for people. */
  readonly say: (line: string) => void;
  /** Ends it early. */
  readonly signal: AbortSignal;
  /** Default: the machine's. What is published does not depend on it. */
  readonly clock?: Clock;
  /** What the steps of builds take for the time; what is published does not depend on that either. */
  readonly stepClock?: StepClock;
}

/** Seconds between two looks at upstreams and feeds: the demo does not wait for a real daemon's half hour. */
const lookEvery = 1;
/** Milliseconds in which nothing happens at all, and those that one thing may take. */
const patience = { quiet: 120_000, most: 600_000 };
const glance = 150;

/** Runs the distribution in a box, and tells its story. Throws when something that should happen does not. */
export async function runDemo(options: DemoOptions): Promise<DemoSummary> {
  const started = Date.now();
  const { clock = systemClock } = options;
  const directory = prepare(options.directory);
  const say = (line: string) => options.say(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  say('starting a GitHub, upstream projects and an advisory feed on this machine');
  const box = await createBox({
    directory: join(directory, 'box'),
    clock,
    libcVersion: await hostLibcVersion(),
  });
  let daemon: Daemon | undefined;
  try {
    const config = join(directory, 'regrow.yaml');
    writeFileSync(config, stringify(configure(directory, box, await freePort(options))));
    const loaded = loadConfig({ file: config });
    const log = createLogger({ level: loaded.config.logLevel, secrets: [] });
    const signer = createSignerFromPem(demoKey(), demoKeyName.replace(/\.rsa\.pub$/, ''));
    daemon = await startDaemon({
      ...loaded,
      log,
      keys: { signer, trusted: [signer], retired: [] },
      clock,
      ...(options.stepClock === undefined ? {} : { stepClock: options.stepClock }),
    });
    say(`regrow runs: ${daemon.url}  (the page; every package says why it is where it is)`);
    const story = await tell({ ...options, say, box, paths: statePaths(loaded.config) });
    const summary = { ...story, seconds: Math.round((Date.now() - started) / 100) / 10 };
    if (!options.once) {
      say(`the story is told; regrow keeps running at ${daemon.url}. Ask it: regrow explain count --config ${config}`);
      say(`(before npm link, from another terminal here: npm run -s dev -- explain count --config ${config})`);
      say('Ctrl-C ends it.');
      await aborted(options.signal);
    }
    return summary;
  } finally {
    await daemon?.stop(5000);
    await box.close();
  }
}

/** A demo begins from nothing each time. Only a folder that a demo made is emptied. */
function prepare(path: string): string {
  const directory = resolve(path);
  const mark = join(directory, 'this-folder-is-emptied-by-regrow-demo');
  if (existsSync(directory) && !existsSync(mark)) {
    throw new RegrowError('config.invalid', `${directory} is there and is not a demo's: it would be emptied`, {
      remedy: 'give a folder that is not there yet with --directory',
    });
  }
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  writeFileSync(mark, '');
  return directory;
}

function configure(directory: string, box: Box, port: number): ConfigInput {
  const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const targets: TargetName[] = [`${arch}-gnu`];
  if (hasMusl()) targets.push(`${arch}-musl`);
  const interval = lookEvery / 60;
  return {
    stateDirectory: join(directory, 'state'),
    logLevel: 'error',
    targets,
    forge: {
      kind: 'github',
      repository: `${boxOwner}/${boxRepository}`,
      baseUrl: box.github.apiUrl,
      mergeGreen: true,
    },
    watch: { interval, githubBaseUrl: box.github.apiUrl },
    advisories: [{ name: 'box', url: box.osv.url, ecosystems: [boxEcosystem], interval }],
    sources: { rewrite: [...box.rewrite] },
    publish: { keyName: 'regrow-demo' },
    api: { port, title: 'Distribution in a box' },
    reconcile: { interval: 0.1 },
  };
}

function hasMusl(): boolean {
  return ['/usr/bin/musl-gcc', '/usr/local/bin/musl-gcc'].some((path) => existsSync(path));
}

/** The port that was asked for, or, where it is taken, 0: any. */
async function freePort({ port }: DemoOptions): Promise<number> {
  return new Promise((free) => {
    const server = createServer();
    server.once('error', () => free(0));
    server.listen(port, '127.0.0.1', () => server.close(() => free(port)));
  });
}

interface Stage extends DemoOptions {
  readonly box: Box;
  readonly paths: ReturnType<typeof statePaths>;
}

async function tell(stage: Stage): Promise<Omit<DemoSummary, 'seconds'>> {
  const { paths, say, box } = stage;
  const ledger = openLedger({ file: paths.ledger, readonly: true });
  const view = createRepositoryView(await createFsObjects(paths.objects));
  let heard = 0;

  async function listen(): Promise<void> {
    const fresh = (await ledger.events({ after: heard, limit: 500 })).toReversed();
    for (const event of fresh) {
      heard = event.sequence;
      if (isNews(event)) say(`  ${mark(event)} ${event.text}`);
    }
  }

  async function published(): Promise<Published> {
    const generation = await view.current();
    const targets: [TargetName, Awaited<ReturnType<typeof view.packages>>][] = [];
    if (generation !== undefined) {
      for (const target of generationTargets(generation))
        targets.push([target, await view.packages(generation, target)]);
    }
    return { targets: new Map(targets), images: (await view.images()).images };
  }

  async function settle(what: string, isSettled: (now: Published) => boolean): Promise<void> {
    const began = Date.now();
    let last = { heard, at: began };
    for (;;) {
      await listen();
      if (isSettled(await published())) return;
      stage.signal.throwIfAborted();
      const now = Date.now();
      if (heard !== last.heard) last = { heard, at: now };
      if (now - last.at > patience.quiet || now - began > patience.most) {
        throw new RegrowError('internal', `the demo waited ${Math.round((now - began) / 1000)} s in vain: ${what}`, {
          file: paths.ledger,
          remedy: 'look at the lines above, at `regrow status` with its --config, and report it',
        });
      }
      await new Promise((go) => setTimeout(go, glance));
    }
  }

  try {
    say('the distribution is empty; everything is built, tested, signed and published for the first time');
    await settle('the first publication', startSettled);
    for (const event of events) await happen(event, stage, settle);
    await listen();
    return await summarise({ ledger, view, box, events });
  } finally {
    await ledger.close();
  }
}

async function happen(
  event: DemoEvent,
  { box, say }: Stage,
  settle: (what: string, isSettled: (now: Published) => boolean) => Promise<void>,
): Promise<void> {
  say('');
  say(`*** ${event.happens}`);
  await event.apply(box);
  await settle(event.expects, (now) => event.settled(box, now));
  say(`=== ${event.expects}`);
}

/** What is worth a line: not each queueing. */
function isNews({ kind }: LedgerEvent): boolean {
  return kind !== 'build-queued' && kind !== 'proposal-updated' && kind !== 'verified';
}

function mark({ kind }: LedgerEvent): string {
  if (kind.endsWith('failed') || kind === 'finding-opened' || kind === 'problem' || kind === 'recipe-invalid')
    return '!';
  return kind === 'published' || kind === 'image-published' || kind === 'proposal-merged' ? '+' : '-';
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}
