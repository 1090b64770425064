/**
 * Looks at every GitHub upstream of a distribution: `npm run bench:poll -- --recipes DIR`. The fake GitHub has a repository for
 * each that enabled recipes watch, made from their versions and rules, answers after 100 ms and counts as GitHub does; we ask
 * through the poller's own doors, with one token and a Redis. Three scenarios, each with its bar; the last line is
 * `{ recipes, repositories, requests, points, seconds, missed, duplicates }` of the first, the last two of all together. Exit 1
 * when a bar is missed. `--batch N`: that many sources in one job, as the conductor may send them.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../src/adapters/clock.ts';
import { readRecipeDirectory } from '../src/adapters/recipe-directory.ts';
import { loadConfig } from '../src/config/load.ts';
import type { Config } from '../src/config/schema.ts';
import { createLogger } from '../src/log.ts';
import { compareApkVersions } from '../src/model/apk-version.ts';
import { parseRecipe, type Recipe } from '../src/model/recipe/recipe.ts';
import { type WatchedSource, watchedSources } from '../src/roles/conductor/watched-sources.ts';
import { openParts, openWatchPorts } from '../src/roles/parts.ts';
import type { WatchPorts } from '../src/watch/source.ts';
import { createGraphQLFake, type GraphQLFake } from '../test/fakes/github-graphql/server.ts';
import { askAll, newestVersions, type Pass } from './poll/asking.ts';
import { isNewer, neighbours, type WatchingPackage, watchingPackage } from './poll/package.ts';
import { makeRepository, releaseOf, tagOf } from './poll/upstream.ts';

const bars = { requests: 60, seconds: 60, moved: 58 };
const latency = 100;

interface Distribution {
  readonly sources: readonly WatchedSource[];
  /** By `OWNER/REPO` in lower case. */
  readonly repositories: ReadonlyMap<string, readonly WatchingPackage[]>;
}

function print(line: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** What the enabled recipes of a folder watch on GitHub. */
function readDistribution(directory: string, policy: Config['policy']): Distribution {
  const recipes = new Map<string, { path: string; blob: string; text: string; recipe: Recipe }>();
  for (const { path, text, digest } of readRecipeDirectory(directory).recipes) {
    const { recipe } = parseRecipe(path, text);
    recipes.set(recipe.package.name, { path, text, blob: digest, recipe });
  }
  const sources = [...watchedSources({ recipes }, policy).values()].filter(({ source }) =>
    source.startsWith('github:'),
  );
  const repositories = new Map<string, WatchingPackage[]>();
  for (const { source, watchers } of sources) {
    const fullName = repositoryOf(source);
    const known = repositories.get(fullName) ?? [];
    repositories.set(fullName, known);
    for (const watcher of watchers) {
      const file = recipes.get(watcher.package);
      if (file !== undefined) known.push(watchingPackage(file.recipe, source, watcher));
    }
  }
  return { sources, repositories };
}

function repositoryOf(source: string): string {
  return source.split(':').slice(1).join(':').split('/').slice(0, 2).join('/').toLowerCase();
}

/**
 * Pushes one more tag to as many repositories as packages are to move, each an update of one package only. `newest`: what the
 * packages have found so far.
 */
function move(
  github: GraphQLFake,
  { repositories }: Distribution,
  newest: ReadonlyMap<string, string>,
  count: number,
): ReadonlySet<string> {
  const moved = new Set<string>();
  const all = [...repositories].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const every = Math.floor(all.length / count);
  const isUpdate = (one: WatchingPackage, tag: string): boolean => isNewer(one, tag, newest.get(one.name));
  for (const [index, [fullName, packages]] of all.entries()) {
    if (moved.size === count || index < moved.size * every) continue;
    const tags = packages.flatMap(({ tag }) => (tag === undefined ? [] : neighbours(tag, 1)));
    const next = tags.find((tag) => packages.filter((one) => isUpdate(one, tag)).length === 1);
    const one = packages.find((candidate) => next !== undefined && isUpdate(candidate, next));
    if (next === undefined || one === undefined) continue;
    const tag = tagOf(next, Date.UTC(2026, 7, 23));
    github.get(fullName).tags.unshift(tag);
    github.get(fullName).releases.unshift(releaseOf(tag));
    moved.add(one.name);
  }
  return moved;
}

/** Every hundredth repository is gone. */
function removeSome(github: GraphQLFake, { repositories }: Distribution): ReadonlySet<string> {
  const gone = [...repositories.keys()].toSorted().filter((_, index) => index % 100 === 50);
  for (const fullName of gone) github.remove(fullName);
  return new Set(gone);
}

/** Packages that did not get what their repository has for them. */
function missedIn(distribution: Distribution, pass: Pass, gone: ReadonlySet<string> = new Set()): string[] {
  const found = newestVersions(distribution.sources, pass);
  const missed: string[] = [];
  for (const { source, watchers } of distribution.sources) {
    const answer = pass.answers.get(source);
    const isGone = gone.has(repositoryOf(source));
    const right = isGone
      ? answer?.kind === 'failed' && answer.failure.code === 'upstream.not-found'
      : answer?.kind === 'observed';
    const packages = distribution.repositories.get(repositoryOf(source)) ?? [];
    for (const { package: name } of watchers) {
      const { tag, version = '' } = packages.find((one) => one.name === name) ?? {};
      const newest = found.get(name);
      const seen = newest !== undefined && compareApkVersions(newest, version) >= 0;
      if (!right || (!isGone && tag !== undefined && !seen)) missed.push(name);
    }
  }
  return missed;
}

async function run(distribution: Distribution, github: GraphQLFake, ports: WatchPorts, batch: number | undefined) {
  const { sources, repositories } = distribution;
  const packages = [...repositories.values()].flat();
  const size = batch === undefined ? {} : { batch };
  const figures = ({ requests, points, seconds, duplicates }: Pass) => ({ requests, points, seconds, duplicates });
  print({
    scenario: 'upstream',
    recipes: packages.length,
    sources: sources.length,
    repositories: repositories.size,
    tags: [...repositories.keys()].reduce((sum, name) => sum + github.get(name).tags.length, 0),
    withoutModel: packages.filter(({ tag }) => tag === undefined).length,
  });

  const cold = await askAll(sources, ports, github, size);
  const coldMissed = missedIn(distribution, cold);
  print({ scenario: 'cold', ...figures(cold), missed: coldMissed.length, first: coldMissed.slice(0, 5) });

  const before = newestVersions(sources, cold);
  const moved = move(github, distribution, before, bars.moved);
  const second = await askAll(sources, ports, github, { ...size, before: cold });
  const after = newestVersions(sources, second, before);
  const found = [...after].filter(([name, version]) => {
    const old = before.get(name);
    return old === undefined || compareApkVersions(version, old) > 0;
  });
  const movedMissed = [...moved].filter((name) => !found.some(([other]) => other === name));
  const extra = found.filter(([name]) => !moved.has(name));
  const unchanged = [...second.answers.values()].filter(({ kind }) => kind === 'unchanged').length;
  print({
    scenario: 'moved',
    ...figures(second),
    moved: moved.size,
    found: found.length,
    extra: extra.length,
    missed: movedMissed.length,
    unchanged,
  });

  const gone = removeSome(github, distribution);
  let bad = 0;
  github.fault = (_question, number) => {
    if (number === 25) return { kind: 'secondary', retryAfter: 2 };
    if (number % 20 !== 7) return undefined;
    bad += 1;
    return { kind: 'status', status: 502 };
  };
  const third = await askAll(sources, ports, github, size);
  const thirdMissed = missedIn(distribution, third, gone);
  print({
    scenario: 'trouble',
    ...figures(third),
    gone: gone.size,
    badGateways: bad,
    missed: thirdMissed.length,
    first: thirdMissed.slice(0, 5),
  });

  const missed = coldMissed.length + movedMissed.length + thirdMissed.length;
  const duplicates = cold.duplicates + second.duplicates + third.duplicates;
  const { requests, points, seconds } = cold;
  print({
    recipes: packages.length,
    repositories: repositories.size,
    requests,
    points,
    seconds,
    missed,
    duplicates,
  });
  const held: Readonly<Record<string, boolean>> = {
    [`at most ${bars.requests} requests`]: requests <= bars.requests,
    [`at most ${bars.seconds} seconds`]: seconds <= bars.seconds,
    [`exactly ${bars.moved} found`]: moved.size === bars.moved && extra.length === 0,
    'trouble there was': bad > 0 && gone.size > 0,
    'nobody missed': missed === 0,
    'nothing twice': duplicates === 0,
  };
  return Object.keys(held).filter((bar) => held[bar] === false);
}

const { values } = parseArgs({ options: { recipes: { type: 'string' }, batch: { type: 'string' } } });
if (values.recipes === undefined) {
  process.stderr.write('usage: npm run bench:poll -- --recipes DIR [--batch N]\n');
  process.exit(2);
}
const github = await createGraphQLFake({ clock: systemClock, tokens: { 'bench-token': 5000 } });
github.latency = latency;
const directory = mkdtempSync(join(tmpdir(), 'regrow-poll-'));
writeFileSync(join(directory, 'regrow.yaml'), `watch: { githubBaseUrl: "${github.apiUrl}" }\n`);
const { config, secrets } = loadConfig({ cwd: directory, environment: { REGROW_WATCH_TOKEN: 'bench-token' } });
const parts = await openParts({ config, secrets, log: createLogger({ level: 'silent', secrets: [] }) });
try {
  const distribution = readDistribution(values.recipes, config.policy);
  for (const [fullName, packages] of distribution.repositories) github.put(makeRepository(fullName, packages));
  const batch = values.batch === undefined ? undefined : Number(values.batch);
  const broken = await run(distribution, github, openWatchPorts(parts, secrets), batch);
  for (const bar of broken) process.stderr.write(`missed: ${bar}\n`);
  process.exitCode = broken.length === 0 ? 0 : 1;
} finally {
  await parts.close();
  await github.close();
  rmSync(directory, { recursive: true, force: true });
}
