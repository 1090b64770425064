import { existsSync } from 'node:fs';
import { systemClock } from '../adapters/clock.ts';
import { openLedger } from '../adapters/ledger.ts';
import { createFsObjects } from '../adapters/objects/fs.ts';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { RegrowError } from '../errors.ts';
import { readInstance } from '../roles/instance.ts';
import { statePaths } from '../roles/parts.ts';
import { createHttpReader, type Distribution, findDaemon } from './http-reader.ts';
import { createLocalReader } from './local-reader.ts';
import type { Output } from './output.ts';
import type { OpenReader, Reader } from './reader.ts';

/** Where the daemon of a configuration is to be asked: one that listens everywhere is asked on this machine. */
export function serverOf({ config }: Pick<LoadedConfig, 'config'>): string {
  const { host, port } = config.api;
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

function httpReader(server: string, token: string | undefined): Reader {
  if (!/^https?:\/\/[^/]/.test(server) || !URL.canParse(server)) {
    throw new RegrowError('request.invalid', `${server} is no address of a daemon`, {
      field: '--server',
      remedy: 'give it as http://HOST:PORT',
    });
  }
  return createHttpReader({ server, ...(token === undefined ? {} : { token }) });
}

async function localReader({ config }: LoadedConfig): Promise<Reader> {
  const paths = statePaths(config);
  if (!existsSync(paths.ledger)) {
    throw new RegrowError(
      'daemon.unreachable',
      `no daemon answers, and ${config.stateDirectory} holds no state of one`,
      {
        remedy: 'start one with `regrow run`, or say where it is with --server URL',
      },
    );
  }
  const ledger = openLedger({ file: paths.ledger, readonly: true });
  return createLocalReader({
    where: config.stateDirectory,
    ledger,
    objects: await createFsObjects(paths.objects),
    clock: systemClock,
    settings: {
      targets: config.targets,
      watchInterval: config.watch.interval,
      reconcileInterval: config.reconcile.interval,
      mergeGreen: config.forge.mergeGreen,
    },
    close: () => ledger.close(),
  });
}

/**
 * Whether a daemon is the one of a configuration: `unknown` where this machine has no state directory of it to compare with, or
 * the daemon does not say.
 */
export function isOwn({ config }: Pick<LoadedConfig, 'config'>, { instance }: Distribution): boolean | 'unknown' {
  const { stateDirectory } = config;
  if (instance === undefined || !existsSync(stateDirectory)) return 'unknown';
  return readInstance(statePaths(config).instance) === instance;
}

/**
 * The daemon that `--server` names; without it the configured one where it answers, else what it left in its state
 * directory, and a note says so. `file`: of the configuration, as loadConfig takes it. Errors: daemon.other where another
 * distribution's daemon has the configured address.
 */
export function createOpenReader(output: Output, file?: string): OpenReader {
  return async (server) => {
    const loaded = loadConfig({ file, roles: ['api'] });
    const { apiToken } = loaded.secrets;
    if (server !== undefined) return httpReader(server, apiToken);
    const configured = serverOf(loaded);
    const daemon = await findDaemon(configured);
    if (daemon !== undefined) {
      const own = isOwn(loaded, daemon);
      if (own === false) throw otherDaemon(loaded, configured, daemon);
      if (own === 'unknown') output.note(`the daemon of "${daemon.title}" answers at ${configured}`);
      return httpReader(configured, apiToken);
    }
    const reader = await localReader(loaded);
    output.note(`no daemon answers at ${configured}: this is what it left in ${reader.where}`);
    return reader;
  };
}

function otherDaemon({ config, file }: LoadedConfig, server: string, { title }: Distribution): RegrowError {
  const { stateDirectory } = config;
  return new RegrowError(
    'daemon.other',
    `another daemon answers at ${server}: that of "${title}", not that of ${stateDirectory}`,
    {
      ...(file === undefined ? {} : { file }),
      field: 'api.port',
      remedy: `start the own one with \`regrow run\`, with another api.port as long as that one runs; or ask that one with --server ${server}`,
    },
  );
}
