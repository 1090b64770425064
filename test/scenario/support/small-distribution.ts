import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSignerFromPem } from '../../../src/adapters/keys/signer.ts';
import { openLedger } from '../../../src/adapters/ledger.ts';
import { createFsObjects } from '../../../src/adapters/objects/fs.ts';
import { type ConfigInput, configSchema } from '../../../src/config/schema.ts';
import { demoKey, demoKeyName } from '../../../src/demo/demo-key.ts';
import { createGitHubFake, type GitHubFake } from '../../../src/demo/fakes/github/github.ts';
import type { FakeRepository } from '../../../src/demo/fakes/github/repository.ts';
import { createOsvFake, type OsvFake } from '../../../src/demo/fakes/osv/osv.ts';
import type { LedgerEvent } from '../../../src/model/event.ts';
import type { Explanation } from '../../../src/model/explanation.ts';
import type { Problem } from '../../../src/model/plan.ts';
import type { TargetName } from '../../../src/model/target.ts';
import type { Ledger } from '../../../src/ports/ledger.ts';
import type { Objects } from '../../../src/ports/objects.ts';
import { createRepositoryView } from '../../../src/report/repository.ts';
import { type Daemon, type DaemonOptions, startDaemon } from '../../../src/roles/daemon.ts';
import { statePaths } from '../../../src/roles/parts.ts';
import { createManualClock, type ManualClock } from '../../fakes/manual-clock.ts';
import { testLog } from '../../support/log.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

/** The organization on the fake GitHub that everything belongs to; `OWNER/os` is the repository of recipes. */
export const owner = 'small';
export const feedEcosystem = 'GIT';
export const target: TargetName = process.arch === 'arm64' ? 'aarch64-gnu' : 'x86_64-gnu';
/** Made once: that takes half a second. */
const signer = createSignerFromPem(demoKey(), demoKeyName.replace(/\.rsa\.pub$/, ''));
const start = '2026-06-01T09:00:00Z';
const minute = 60_000;
/** Milliseconds that something may take before the test says that it does not come. */
const patience = 25_000;
/** Milliseconds of virtual time, and of real time, between two looks. */
const step = minute;
const glance = 60;

/** A whole daemon on fakes and a clock that the test turns, with a distribution that is a handful of recipes. */
export interface SmallDistribution {
  readonly github: GitHubFake;
  readonly osv: OsvFake;
  readonly os: FakeRepository;
  readonly clock: ManualClock;
  readonly redis: TestRedis;
  readonly directory: string;
  /** Lines of the daemons' log. */
  readonly lines: readonly Record<string, unknown>[];
  readonly daemon: () => Daemon;
  /** What the daemon is configured with. */
  readonly config: ConfigInput;
  start(options?: Partial<DaemonOptions>): Promise<Daemon>;
  /** Lets virtual time pass and asks the daemon to look around, until `holds`; fails with `what` and what is known then. */
  until(what: string, holds: () => Promise<boolean> | boolean, milliseconds?: number): Promise<void>;
  /** The ledger as it is now, read beside the daemon. */
  read<T>(work: (ledger: Ledger) => Promise<T>): Promise<T>;
  problems(): Promise<readonly Problem[]>;
  events(): Promise<readonly LedgerEvent[]>;
  /** `NAME-VERSION` to digest of everything that is published. */
  published(): Promise<Readonly<Record<string, string>>>;
  images(): Promise<Readonly<Record<string, string>>>;
  objects(): Promise<Objects>;
  /** GET of the api. */
  get(path: string): Promise<{ readonly status: number; readonly body: unknown }>;
  explain(name: string): Promise<Explanation>;
  /** A project with one release; gives the sha256 of its archive. */
  project(name: string, version?: string): Promise<string>;
  release(name: string, version: string): Promise<string>;
  push(files: Readonly<Record<string, string | null>>, branch?: string, author?: string): Promise<string>;
  close(): Promise<void>;
}

export interface SmallDistributionOptions {
  /** Files of the repository of recipes. */
  readonly files: Readonly<Record<string, string>>;
  readonly config?: Partial<ConfigInput>;
  /** Before the daemon starts: upstream projects that the files name. */
  readonly prepare?: (distribution: SmallDistribution) => Promise<Readonly<Record<string, string>>>;
  readonly startNow?: boolean;
  readonly daemon?: Partial<DaemonOptions>;
}

export async function createSmallDistribution(options: SmallDistributionOptions): Promise<SmallDistribution> {
  const directory = mkdtempSync(join(tmpdir(), 'regrow-small-'));
  const clock = createManualClock(start);
  const redis = await startTestRedis();
  const github = await createGitHubFake({
    directory: join(directory, 'github'),
    clock,
    commitTime: (parent) => parent + 60,
  });
  const osv = await createOsvFake({ clock });
  const os = await github.createRepository(owner, 'os');
  const { log, lines } = testLog('debug');
  const config: ConfigInput = {
    stateDirectory: join(directory, 'state'),
    targets: [target],
    redis: { url: `unix://${redis.socket}` },
    forge: { kind: 'github', repository: `${owner}/os`, baseUrl: github.apiUrl, mergeGreen: true },
    watch: { interval: 30, githubBaseUrl: github.apiUrl },
    advisories: [{ name: 'box', url: osv.url, ecosystems: [feedEcosystem], interval: 30 }],
    sources: { rewrite: [{ from: 'https://github.com/', to: `${github.url}/` }] },
    publish: { keyName: 'regrow-demo' },
    api: { port: 0 },
    reconcile: { interval: 1 },
    ...options.config,
  };
  const paths = statePaths({ stateDirectory: join(directory, 'state') });
  let running: Daemon | undefined;

  async function read<T>(work: (ledger: Ledger) => Promise<T>): Promise<T> {
    const ledger = openLedger({ file: paths.ledger, readonly: true });
    try {
      return await work(ledger);
    } finally {
      await ledger.close();
    }
  }

  const distribution: SmallDistribution = {
    github,
    osv,
    os,
    clock,
    redis,
    directory,
    lines,
    config,
    daemon() {
      if (running === undefined) throw new Error('no daemon runs');
      return running;
    },
    async start(more = {}) {
      const parsed = configSchema.parse(config);
      running = await startDaemon({
        config: { ...parsed, forge: { ...parsed.forge, repository: `${owner}/os`, mergeGreen: true } },
        secrets: {},
        log,
        clock,
        keys: { signer, trusted: [signer], retired: [] },
        schedule: false,
        leaseTime: 1000,
        timings: { lock: 5000, stalled: 1000, pauseFactor: 0.005 },
        ...options.daemon,
        ...more,
      });
      return running;
    },
    async until(what, holds, milliseconds = patience) {
      const late = Date.now() + milliseconds;
      for (;;) {
        if (await holds()) return;
        if (Date.now() > late) throw new Error(`waited in vain: ${what}\n${await known()}`);
        clock.advance(step);
        await running?.tick();
        await new Promise((go) => setTimeout(go, glance));
      }
    },
    read,
    problems: () => read(async (ledger) => (await ledger.list('problem')).map(({ value }) => value)),
    events: () => read(async (ledger) => (await ledger.events({ limit: 500 })).toReversed()),
    async published() {
      const view = createRepositoryView(await createFsObjects(paths.objects));
      const generation = await view.current();
      const packages = generation === undefined ? [] : await view.packages(generation, target);
      return Object.fromEntries(packages.map(({ info, digest }) => [`${info.name}-${info.version}`, digest]));
    },
    async images() {
      const view = createRepositoryView(await createFsObjects(paths.objects));
      return Object.fromEntries((await view.images()).images.map(({ ref, digest }) => [ref, digest]));
    },
    objects: () => createFsObjects(paths.objects),
    async get(path) {
      const response = await fetch(`${running?.url ?? ''}${path}`);
      return { status: response.status, body: await response.json() };
    },
    async explain(name) {
      return (await distribution.get(`/v1/packages/${name}`)).body as Explanation;
    },
    async project(name, version = '1.0') {
      await github.createRepository(owner, name);
      return distribution.release(name, version);
    },
    async release(name, version) {
      const project = github.repository(owner, name);
      await project.commit({ files: { 'data.txt': `${name} ${version}\n` }, message: `${name} ${version}` });
      await project.publishRelease({ tag: `v${version}` });
      return createHash('sha256')
        .update(await project.archive(`v${version}`))
        .digest('hex');
    },
    push: (files, branch, author) =>
      os.commit({
        files,
        message: 'Recipes',
        ...(branch === undefined ? {} : { branch }),
        ...(author === undefined ? {} : { author }),
      }),
    async close() {
      await running?.stop(2000);
      await Promise.all([github.close(), osv.close(), redis.stop()]);
      rmSync(directory, { recursive: true, force: true });
    },
  };

  async function known(): Promise<string> {
    try {
      const events = (await distribution.events()).slice(-12).map(({ kind, text }) => `  ${kind}: ${text}`);
      const problems = (await distribution.problems()).map(({ code, message }) => `  problem ${code}: ${message}`);
      const log = lines
        .filter(({ level }) => Number(level) >= 40)
        .slice(-5)
        .map((line) => `  ${JSON.stringify(line).slice(0, 600)}`);
      return [...events, ...problems, ...log].join('\n');
    } catch (error) {
      return String(error);
    }
  }

  try {
    const prepared = (await options.prepare?.(distribution)) ?? {};
    await distribution.push({ 'README.md': 'Recipes\n', ...options.files, ...prepared });
    if (options.startNow !== false) await distribution.start();
    return distribution;
  } catch (error) {
    await distribution.close();
    throw error;
  }
}

export interface RecipeOptions {
  readonly version?: string;
  readonly epoch?: number;
  /** YAML of `pipeline:`, indented by two. Default: writes one file. */
  readonly pipeline?: string;
  /** Whether releases of `OWNER/NAME` are followed. */
  readonly watched?: boolean;
}

/** A recipe that builds in a blink. */
export function recipe(name: string, options: RecipeOptions = {}): string {
  const { version = '1.0', epoch = 0, watched = false } = options;
  const pipeline =
    options.pipeline ??
    `  - runs: |
      install -d "\${{targets.destdir}}/usr/share/${name}"
      echo "${name} \${{package.version}}" > "\${{targets.destdir}}/usr/share/${name}/data.txt"
`;
  return `package:
  name: ${name}
  version: "${version}"
  epoch: ${epoch}
  description: "${name}"
  copyright:
    - license: Apache-2.0

environment:
  contents:
    packages:
      - busybox

pipeline:
${pipeline}
update:
  enabled: ${watched}
  github:
    identifier: ${owner}/${name}
    strip-prefix: v
`;
}

/** A recipe that is made from the archive of its project's tag. */
export function fetchedRecipe(name: string, sha256: string, options: RecipeOptions = {}): string {
  return recipe(name, {
    watched: true,
    ...options,
    pipeline: `  - uses: fetch
    with:
      uri: https://github.com/${owner}/${name}/archive/refs/tags/v\${{package.version}}.tar.gz
      expected-sha256: ${sha256}

  - runs: install -D -m 644 data.txt "\${{targets.destdir}}/usr/share/${name}/data.txt"
`,
  });
}
