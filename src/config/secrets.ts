import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { RegrowError } from '../errors.ts';
import type { IdentitySource } from '../model/identity.ts';
import type { Config } from './schema.ts';

/** Secrets come from the environment or from files, never from the configuration file. */
export interface Secrets {
  /** Writes to the forge: the conductor's alone. */
  readonly forgeToken?: string;
  /** Read upstreams, any of them: the poller's. */
  readonly watchTokens?: readonly string[];
  /** Lets callers of the api ask for work. */
  readonly apiToken?: string;
  /** What GitHub signs its webhooks with: the api's. */
  readonly webhookSecret?: string;
  /** Text of an `auth.json`: logins of registries that images are pushed to, the publisher's. */
  readonly registryAuth?: string;
  /** With its password; before `redis.url`. */
  readonly redisUrl?: string;
  /** Opens the signing keys: the publisher's. */
  readonly keyPassphrase?: string;
  /** Says who signs without a key: the publisher's. */
  readonly identity?: IdentitySource;
}

export type Environment = Readonly<Record<string, string | undefined>>;

function readSecretFile(file: string, from: string): string {
  try {
    const value = readFileSync(file, 'utf8').trim();
    if (value !== '') return value;
  } catch (cause) {
    throw new RegrowError('config.invalid', `${from}: ${file} cannot be read`, {
      file,
      field: from,
      cause,
      remedy: 'make it readable for the user that regrow runs as',
    });
  }
  throw new RegrowError('config.invalid', `${from}: ${file} is empty`, {
    file,
    field: from,
    remedy: 'put the secret into it, and nothing else',
  });
}

/** `NAME`, else the file that `NAME_FILE` names, else the file of the option. */
function secret(environment: Environment, name: string, option: string, file: string | undefined, cwd: string) {
  const value = environment[name]?.trim();
  if (value !== undefined && value !== '') return value;
  const named = environment[`${name}_FILE`];
  if (named !== undefined && named !== '') return readSecretFile(resolve(cwd, named), `${name}_FILE`);
  return file === undefined ? undefined : readSecretFile(file, option);
}

/** Where a cluster lays the token of a pod for the audience `sigstore` (sigstore/cosign `pkg/providers/filesystem`). */
const projectedToken = '/var/run/sigstore/cosign/oidc-token';

/** The first that is there, as cosign looks for them: named by the configuration, in the environment, projected, GitHub's. */
function readIdentity(config: Config, environment: Environment): IdentitySource | undefined {
  const { sigstore } = config.publish;
  if (sigstore === undefined) return undefined;
  if (sigstore.tokenFile !== undefined) return { kind: 'file', path: sigstore.tokenFile };
  const token = environment['SIGSTORE_ID_TOKEN']?.trim() ?? '';
  if (token !== '') return { kind: 'token', token };
  if (existsSync(projectedToken)) return { kind: 'file', path: projectedToken };
  const url = environment['ACTIONS_ID_TOKEN_REQUEST_URL'] ?? '';
  const asked = environment['ACTIONS_ID_TOKEN_REQUEST_TOKEN'] ?? '';
  return url === '' || asked === '' ? undefined : { kind: 'github', url, token: asked };
}

/** The variables that are read, for the documentation; the last is the role that may hold the secret. */
export const secretVariables = [
  ['REGROW_FORGE_TOKEN', 'forge.tokenFile', 'the token for the forge', 'conductor'],
  ['REGROW_WATCH_TOKEN', 'watch.tokenFile', 'tokens that may only read, for asking upstreams on GitHub', 'poller'],
  ['REGROW_API_TOKEN', 'api.tokenFile', 'the token that asking for work over the api takes', 'api'],
  ['REGROW_WEBHOOK_SECRET', 'api.webhookSecretFile', 'the secret that GitHub signs webhooks with', 'api'],
  ['REGROW_REDIS_URL', 'redis.url', 'where Redis is, with its password', 'all'],
  ['REGROW_KEY_PASSPHRASE', 'publish.keyPassphraseFile', 'what the signing keys are sealed with', 'publisher'],
  ['REGROW_REGISTRY_AUTH', 'images.authFile', 'the logins of registries, an `auth.json`', 'publisher'],
] as const;

/** What may hold secrets; the builder holds none, the publisher no token but the logins of registries. */
export type SecretHolder = 'poller' | 'conductor' | 'builder' | 'publisher' | 'api';

export interface SecretOptions {
  readonly environment: Environment;
  /** What paths in variables are relative to. */
  readonly cwd: string;
  /** Whose secrets are read. Default: everyone's. */
  readonly roles: readonly SecretHolder[] | undefined;
}

/** A secret is read only where a role that may hold it runs, so that no other machine needs its file. Errors: config.invalid. */
export function readSecrets(config: Config, { environment, cwd, roles }: SecretOptions): Secrets {
  const [forge, watch, api, webhook, redis, keys, registries] = secretVariables;
  const read = ([name, option, , holder]: (typeof secretVariables)[number], file?: string) =>
    holder === 'all' || roles === undefined || roles.includes(holder)
      ? secret(environment, name, option, file, cwd)
      : undefined;
  const forgeToken = read(forge, config.forge.tokenFile);
  const watchTokens = read(watch, config.watch.tokenFile)
    ?.split(/[\s,]+/)
    .filter((token) => token !== '');
  const apiToken = read(api, config.api.tokenFile);
  const webhookSecret = read(webhook, config.api.webhookSecretFile);
  const redisUrl = read(redis);
  const keyPassphrase = read(keys, config.publish.keyPassphraseFile);
  const registryAuth = read(registries, config.images.authFile);
  const identity = roles === undefined || roles.includes('publisher') ? readIdentity(config, environment) : undefined;
  return {
    ...(forgeToken === undefined ? {} : { forgeToken }),
    ...(watchTokens === undefined ? {} : { watchTokens: [...new Set(watchTokens)] }),
    ...(apiToken === undefined ? {} : { apiToken }),
    ...(webhookSecret === undefined ? {} : { webhookSecret }),
    ...(redisUrl === undefined ? {} : { redisUrl }),
    ...(keyPassphrase === undefined ? {} : { keyPassphrase }),
    ...(registryAuth === undefined ? {} : { registryAuth }),
    ...(identity === undefined ? {} : { identity }),
  };
}
