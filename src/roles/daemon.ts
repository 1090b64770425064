import { startApi } from './api.ts';
import { startBuilder } from './builder.ts';
import { startConductor } from './conductor/term.ts';
import { createRoleHost, type HostOptions } from './host.ts';
import { openParts, type PartsOptions } from './parts.ts';
import { startPoller } from './poller.ts';
import { startPublisher } from './publisher.ts';

export const roleNames = ['poller', 'conductor', 'builder', 'publisher', 'api'] as const;
export type RoleName = (typeof roleNames)[number];

export interface DaemonOptions extends HostOptions, PartsOptions {
  /** Default: all. */
  readonly roles?: readonly RoleName[];
}

export interface Daemon {
  /** Where the api listens; undefined without that role. */
  readonly url: string | undefined;
  /** What the clock would do: asks every source and feed whose slot it is, and reconciles. Where this is the conductor. */
  tick(): Promise<void>;
  /** Takes no more jobs, lets those that run end within `grace` milliseconds, aborts the others, closes everything. */
  stop(grace: number): Promise<void>;
  /** Leaves everything as a crash would. */
  kill(): Promise<void>;
}

/** Starts roles in this process. What was started is ended again when one of them cannot start. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { config, log } = options;
  const roles = new Set(options.roles ?? roleNames);
  const parts = await openParts(options);
  const host = createRoleHost(parts, options);
  try {
    await parts.queues.ping();
    if (roles.has('publisher')) await startPublisher(host);
    if (roles.has('builder')) await startBuilder(host);
    if (roles.has('poller')) startPoller(host);
    const conductor = roles.has('conductor') ? startConductor(host) : undefined;
    const url = roles.has('api') ? await startApi(host) : undefined;
    log.info({ roles: [...roles], targets: config.targets, url }, 'regrow runs');
    return {
      url,
      async tick() {
        await conductor?.tick();
      },
      async stop(grace) {
        await host.end({ how: 'stop', grace });
        log.info('regrow stopped');
      },
      kill: () => host.end({ how: 'kill' }),
    };
  } catch (thrown) {
    await host.end({ how: 'stop', grace: 0 });
    throw thrown;
  }
}
