import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { z } from 'zod';
import { createGit } from '../adapters/git.ts';
import { createGitHubClient } from '../adapters/github/client.ts';
import { gitHubFailure, readAnswer } from '../adapters/github/failure.ts';
import { hostsOf } from '../adapters/network/guard.ts';
import { createFsReader } from '../adapters/objects/fs-reader.ts';
import type { Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import { reportError } from '../errors.ts';
import { addressText, openRedis, type RedisAddress, whenReady } from '../jobs/connection.ts';
import type { Logger } from '../log.ts';
import type { Exec } from '../ports/exec.ts';
import { createRepositoryView } from '../report/repository.ts';
import { statePaths } from '../roles/parts.ts';
import { type Check, fail, ok, warn } from './doctor-check.ts';
import { findDaemon } from './http-reader.ts';
import { findProgram } from './machine-checks.ts';
import { isOwn, serverOf } from './open-reader.ts';
import { checkWatchTokens } from './watch-token-check.ts';

export interface ServiceCheckOptions {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly exec: Exec;
  readonly log: Logger;
  /** Folders in which programs are looked for, with `:` between. */
  readonly path: string;
}

/** Milliseconds that Redis has for its first answer. */
const redisPatience = 2000;

/** Redis, the forge with its token, the object store and the api's address. Everything is only read. */
export async function checkServices(options: ServiceCheckOptions): Promise<readonly Check[]> {
  const { config, secrets } = options;
  return [
    await checkRedis(options),
    await (config.forge.kind === 'git' ? checkBareForge(options) : checkGitHub(options)),
    await checkWatchTokens(config, secrets),
    await checkObjects(config),
    await checkAddress(config),
  ];
}

async function checkRedis({ config, secrets, log, path }: ServiceCheckOptions): Promise<Check> {
  const url = secrets.redisUrl ?? config.redis.url;
  if (url === undefined) {
    const program = findProgram('redis-server', path);
    if (program !== undefined) return ok('redis', `${program}; regrow runs one of its own`);
    const remedy = 'install it (Debian: apt-get install redis-server), or set redis.url to a Redis or Valkey that runs';
    return fail('redis', 'redis-server is not installed', remedy);
  }
  const address: RedisAddress = { url };
  const redis = openRedis(address, { log, patient: false });
  try {
    await whenReady(redis, address, redisPatience);
    await redis.ping();
    return ok('redis', `${addressText(address)} answers`);
  } catch (thrown) {
    return fail('redis', reportError(thrown).message, 'start it, or correct redis.url or REGROW_REDIS_URL');
  } finally {
    redis.disconnect();
  }
}

async function checkBareForge({ config, exec }: ServiceCheckOptions): Promise<Check> {
  const { repository, mainBranch } = config.forge;
  try {
    const git = createGit({ exec, protocols: ['file', 'http', 'https'], allowPrivate: hostsOf([repository]) });
    const refs = await git.lsRemote(repository);
    if (refs.some(({ name }) => name === `refs/heads/${mainBranch}`))
      return ok('forge', `${repository}, branch ${mainBranch}`);
    return fail('forge', `${repository} has no branch ${mainBranch}`, 'push it, or correct forge.mainBranch');
  } catch (thrown) {
    const { message } = reportError(thrown);
    return fail('forge', message, '`regrow init` makes a repository of recipes; or correct forge.repository');
  }
}

const repositorySchema = z.object({ permissions: z.object({ push: z.boolean() }).optional() });

async function checkGitHub({ config, secrets }: ServiceCheckOptions): Promise<Check> {
  const { repository, baseUrl } = config.forge;
  const token = secrets.forgeToken;
  const permissions = 'contents, pull requests, commit statuses and issues, read and write';
  if (token === undefined) {
    return fail('forge', `there is no token for ${repository}`, `put one into REGROW_FORGE_TOKEN: ${permissions}`);
  }
  const [owner = '', repo = ''] = repository.split('/');
  const doing = `read ${repository}`;
  const client = createGitHubClient({
    userAgent: 'regrow doctor',
    token,
    retries: 0,
    ...(baseUrl === undefined ? {} : { baseUrl, throttle: false }),
  });
  try {
    const { data } = await client.rest.repos.get({ owner, repo });
    const may = readAnswer(repositorySchema, data, doing).permissions?.push;
    if (may === true) return ok('forge', `${repository}: the token may read and write`);
    if (may === undefined)
      return warn('forge', `${repository} can be read; GitHub does not say more`, `check: ${permissions}`);
    return fail('forge', `the token may not write to ${repository}`, `give it ${permissions}`);
  } catch (thrown) {
    const { message, remedy } = reportError(gitHubFailure(doing, thrown));
    return fail('forge', message, remedy);
  }
}

async function checkObjects(config: Config): Promise<Check> {
  const { objects } = statePaths(config);
  if (!existsSync(objects)) return ok('object store', `${objects} will be made`);
  try {
    const current = await createRepositoryView(createFsReader(objects)).current();
    return ok(
      'object store',
      current === undefined ? 'nothing is published yet' : `generation ${current.generation} is published`,
    );
  } catch (thrown) {
    const { message, remedy } = reportError(thrown);
    return fail('object store', message, remedy);
  }
}

/** Whether the api can listen where it should; the daemon that does so already may be the own one. */
async function checkAddress(config: Config): Promise<Check> {
  const { host, port } = config.api;
  const at = `${host}:${port}`;
  const reason = await whyNot(host, port);
  if (reason === undefined) return ok('api address', at);
  const server = serverOf({ config });
  const daemon = reason === 'EADDRINUSE' ? await findDaemon(server) : undefined;
  if (daemon === undefined) {
    const text =
      reason === 'EADDRINUSE' ? `another program listens at ${at}` : `${at} cannot be listened at: ${reason}`;
    return fail('api address', text, 'end it, or set api.port and api.host to an address that is free');
  }
  if (isOwn({ config }, daemon) === true) return ok('api address', `the daemon runs: ${server}`);
  const text = `another daemon answers at ${server}: that of "${daemon.title}"`;
  return fail('api address', text, 'end that one, or set api.port');
}

/** The system's word for why nothing can listen there; undefined where something can. */
function whyNot(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port }, () => server.close(() => resolve(undefined)));
  });
}
