import { join } from 'node:path';
import { systemClock } from '../adapters/clock.ts';
import { createExec } from '../adapters/exec.ts';
import { withFiles } from '../adapters/file-http.ts';
import { createGit } from '../adapters/git.ts';
import { createGitForge } from '../adapters/git-forge/git-forge.ts';
import { createGitHubClient } from '../adapters/github/client.ts';
import { createGitHubForge } from '../adapters/github/forge.ts';
import { createGitHubReleases } from '../adapters/github/releases.ts';
import { createGitHubRepositories } from '../adapters/github/repositories.ts';
import { createHttp } from '../adapters/http.ts';
import { hostsOf } from '../adapters/network/guard.ts';
import { createPace } from '../adapters/network/pace.ts';
import { createFsObjects } from '../adapters/objects/fs.ts';
import { readPipelineDirectory } from '../adapters/pipeline-directory.ts';
import { createRecipeRepository } from '../adapters/recipe-repository.ts';
import { startRedisServer } from '../adapters/redis-server.ts';
import { createSources } from '../adapters/sources.ts';
import type { Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import type { RedisAddress } from '../jobs/connection.ts';
import { createQueues, type Queues } from '../jobs/queues.ts';
import { createQuotaStore } from '../jobs/quota-store.ts';
import type { Logger } from '../log.ts';
import type { Clock } from '../ports/clock.ts';
import type { Exec } from '../ports/exec.ts';
import type { Forge } from '../ports/forge.ts';
import type { Git, RecipeRepository } from '../ports/git.ts';
import type { Http } from '../ports/http.ts';
import type { Objects } from '../ports/objects.ts';
import type { QuotaStore } from '../ports/quota.ts';
import type { Releases } from '../ports/releases.ts';
import type { Sources } from '../ports/sources.ts';
import type { WatchPorts } from '../watch/source.ts';

/** Where things lie: under the state directory, but for those that the configuration puts elsewhere. */
export function statePaths(config: Pick<Config, 'stateDirectory'> & Partial<Pick<Config, 'objects' | 'publish'>>) {
  const at = (name: string) => join(config.stateDirectory, name);
  return {
    objects: config.objects?.directory ?? at('objects'),
    ledger: at('ledger.sqlite'),
    instance: at('instance'),
    redis: at('redis'),
    keys: config.publish?.keyDirectory ?? at('keys'),
    mirror: at('recipes-mirror.git'),
    /** Of commands, which must not get in the way of a daemon that has the same state directory. */
    commandMirror: at('command-mirror.git'),
    sources: at('sources'),
    workspaces: at('workspaces'),
  };
}

/** What several roles share: doors without secrets. */
export interface SharedParts {
  readonly config: Config;
  readonly paths: ReturnType<typeof statePaths>;
  readonly redis: RedisAddress;
  readonly queues: Queues;
  readonly quota: QuotaStore;
  readonly objects: Objects;
  readonly exec: Exec;
  readonly git: Git;
  readonly sources: Sources;
  readonly clock: Clock;
  readonly log: Logger;
  /** Texts of regrow's own pipelines by name. */
  readonly pipelines: ReadonlyMap<string, string>;
  close(): Promise<void>;
}

export interface PartsOptions {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Comes between every role and the object store. */
  readonly wrapObjects?: (objects: Objects) => Objects;
}

export const userAgent = 'regrow (+https://github.com/regrow-dev/regrow)';

/** Opens what every role needs; starts a private redis-server where none is configured. */
export async function openParts(options: PartsOptions): Promise<SharedParts> {
  const { config, secrets, log, clock = systemClock } = options;
  const paths = statePaths(config);
  const url = secrets.redisUrl ?? config.redis.url;
  const server = url === undefined ? await startRedisServer({ directory: paths.redis, log }) : undefined;
  const redis = server === undefined ? addressOf(url ?? '') : { socket: server.socket };
  const queues = createQueues({ redis, prefix: config.redis.prefix, targets: config.targets, log, clock });
  const quota = createQuotaStore({ redis, prefix: config.redis.prefix, log });
  const exec = createExec();
  const objects = await createFsObjects(paths.objects);
  return {
    config,
    paths,
    redis,
    queues,
    quota,
    objects: options.wrapObjects === undefined ? objects : options.wrapObjects(objects),
    exec,
    ...openUpstream(config, exec),
    clock,
    log,
    pipelines: await readPipelineDirectory(),
    async close() {
      await queues.close();
      await quota.close();
      await server?.stop();
    },
  };
}

/** The doors to what recipes are made from. */
export function openUpstream(config: Config, exec: Exec): Pick<SharedParts, 'git' | 'sources'> {
  const { rewrite, limitBytes: limit } = config.sources;
  const { allowPrivate } = config.network;
  return {
    git: createGit({ exec, rewrite, allowPrivate }),
    sources: createSources({ directory: statePaths(config).sources, limit, rewrite, allowPrivate }),
  };
}

function addressOf(url: string): RedisAddress {
  return url.startsWith('unix://') ? { socket: url.slice('unix://'.length) } : { url };
}

/** What the doors of a poller need of it. */
export type WatchParts = Pick<SharedParts, 'config' | 'git' | 'clock' | 'log' | 'quota'>;

/** The doors of a poller, with its read-only tokens. */
export function openWatchPorts(parts: WatchParts, secrets: Secrets): WatchPorts {
  const { config, git, clock } = parts;
  return { releases: openReleases(parts, secrets.watchTokens ?? []), http: openHttp(config), git, clock };
}

/** Many repositories at once where there are tokens, since GraphQL is not for nobody; else one at a time. */
function openReleases({ config, clock, log, quota }: WatchParts, tokens: readonly string[]): Releases {
  const { githubBaseUrl: baseUrl, quotaShare: share } = config.watch;
  const [token] = tokens;
  const common = {
    userAgent,
    warn: (message: string) => log.warn({ client: 'github' }, message),
    ...(baseUrl === undefined ? {} : { baseUrl }),
  };
  const client = createGitHubClient({
    ...common,
    ...(baseUrl === undefined ? {} : { throttle: false }),
    ...(token === undefined ? {} : { token }),
  });
  const one = createGitHubReleases(client);
  if (token === undefined) return one;
  return { ...one, repositories: createGitHubRepositories({ ...common, tokens, store: quota, clock, share }) };
}

/** The way to upstreams and feeds: polite to the hosts of others, and out of the operator's network but for what the configuration names. */
function openHttp({ advisories, network, sources }: Config): Http {
  const feeds = advisories.map(({ url }) => url);
  const own = new Set(feeds.map((url) => new URL(url).host));
  const { allowPrivate, redirectHosts } = network;
  const limits = new Map(Object.entries(network.requestsPerSecond));
  const pace = createPace({
    perSecond: (host) => (own.has(host) ? undefined : (limits.get(host.replace(/:\d+$/, '')) ?? limits.get('*'))),
  });
  const http = createHttp({
    userAgent,
    allowPrivate: [...allowPrivate, ...hostsOf(feeds)],
    redirectHosts,
    rewrite: sources.rewrite,
    pace,
  });
  return withFiles(http, feeds);
}

/** The forge and the repository of recipes, with the conductor's token. */
export function openForge(parts: SharedParts, secrets: Secrets): { forge: Forge; repository: RecipeRepository } {
  const { exec, clock, config, paths, log } = parts;
  const { forge: settings } = config;
  const { mainBranch } = settings;
  const mirror = openRecipeMirror({ exec, config, directory: paths.mirror }, secrets);
  if (settings.kind === 'git') {
    return { forge: createGitForge({ exec, clock, repository: settings.repository, mainBranch }), repository: mirror };
  }
  const [owner = '', repository = ''] = settings.repository.split('/');
  const client = createGitHubClient({
    userAgent,
    ...(settings.baseUrl === undefined ? {} : { baseUrl: settings.baseUrl, throttle: false }),
    ...(secrets.forgeToken === undefined ? {} : { token: secrets.forgeToken }),
    // The next round asks again: until then main goes on, and must not wait long for an answer that does not come.
    retries: 1,
    warn: (message) => log.warn({ client: 'forge' }, message),
  });
  return { forge: createGitHubForge({ client, owner, repository, mainBranch }), repository: mirror };
}

/** A bare mirror of the configured recipes in a folder. */
export function openRecipeMirror(
  { exec, config, directory }: Pick<SharedParts, 'exec' | 'config'> & { readonly directory: string },
  secrets: Pick<Secrets, 'forgeToken'>,
): RecipeRepository {
  const { kind, mainBranch, repository } = config.forge;
  if (kind === 'git') {
    return createRecipeRepository({ exec, repository, directory, mainBranch, protocols: ['file', 'http', 'https'] });
  }
  const { forgeToken: token } = secrets;
  const web = webUrl(config);
  return createRecipeRepository({
    exec,
    repository: `${web}/${repository}.git`,
    directory,
    mainBranch,
    ...(token === undefined ? {} : { credential: { origin: new URL(web).origin, token } }),
  });
}

/** Where a GitHub's repositories are: `https://HOST/api/v3` is the API of `https://HOST`. */
export function webUrl({ forge }: Pick<Config, 'forge'>): string {
  if (forge.webUrl !== undefined) return forge.webUrl.replace(/\/+$/, '');
  return forge.baseUrl === undefined ? 'https://github.com' : forge.baseUrl.replace(/\/api\/v3\/?$/, '');
}
