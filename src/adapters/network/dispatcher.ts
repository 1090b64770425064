import type { LookupFunction } from 'node:net';
import { Agent, buildConnector, type Dispatcher } from 'undici';
import { toRegrowError } from '../../errors.ts';
import type { NetworkGuard } from './guard.ts';

const connectTimeout = 15_000;
/** Milliseconds without a byte after which an answer is given up, whatever time the whole may take. */
const idleTimeout = 60_000;

/**
 * Connections that the guard allows. A name is resolved once, and what was checked is what is connected to, so a name that
 * resolves to another address a moment later (DNS rebinding) gains nothing.
 */
export function createDispatcher(guard: NetworkGuard): Dispatcher {
  return new Agent({ connect: connector(guard), headersTimeout: idleTimeout, bodyTimeout: idleTimeout });
}

function connector(guard: NetworkGuard): buildConnector.connector {
  return (options, callback) => {
    const port = Number(options.port) || (options.protocol === 'https:' ? 443 : 80);
    guard.resolve(options.hostname, port).then(
      (addresses) => {
        const lookup: LookupFunction = (_hostname, { all }, done) => {
          if (all === true) done(null, [...addresses]);
          else done(null, addresses[0]?.address ?? '', addresses[0]?.family);
        };
        // An address in place of a name is not looked up: it is what was checked.
        buildConnector({ timeout: connectTimeout, lookup })(options, callback);
      },
      (thrown: unknown) => {
        callback(thrown instanceof Error ? thrown : toRegrowError(thrown), null);
      },
    );
  };
}
