import { findEngine } from '../adapters/engine-program.ts';
import { createStepWatch } from '../adapters/step-watch.ts';
import type { MelangeEngineContext } from '../build/melange/context.ts';
import { engineFolders } from '../config/engine-folders.ts';
import type { Config } from '../config/schema.ts';
import { RegrowError } from '../errors.ts';
import type { Arch } from '../model/target.ts';
import { usesMelange } from './engine-settings.ts';
import { hostArch } from './host-engine.ts';
import type { SharedParts } from './parts.ts';

/** The melange engine as it is configured, on this machine. Nothing is looked for before something is built. */
export function melangeEngineOf(
  parts: Pick<SharedParts, 'config' | 'sources' | 'git' | 'clock' | 'exec' | 'pipelines'>,
  ports: Pick<MelangeEngineContext, 'objects' | 'workspaces' | 'liveLog'>,
  builder: string,
): MelangeEngineContext {
  const { config, sources, git, clock, exec, pipelines } = parts;
  const { outputLimit, processLimit, melange } = config.build;
  return {
    ...ports,
    exec,
    stepWatch: createStepWatch(),
    sources,
    git,
    clock,
    arches: runnableArches(config),
    program: () => engine('melange', 'run `scripts/setup --engines`, or put melange on the PATH of the builders'),
    bubblewrap: () => engine('bwrap', 'install bubblewrap (Debian: apt-get install bubblewrap)'),
    isRoot: process.getuid?.() === 0,
    environment: melange.environment,
    limits: { timeout: melange.timeout * 1000, outputLimit, processLimit },
    shippedPipelines: pipelines,
    namespace: config.publish.keyName,
    builder,
  };
}

/** Architectures that this machine builds for: its own, and with melange those that it emulates. */
export function buildableArches(config: Pick<Config, 'build'>): readonly Arch[] {
  return usesMelange(config) ? runnableArches(config) : [hostArch()];
}

function runnableArches({ build }: Pick<Config, 'build'>): readonly Arch[] {
  return [...new Set([hostArch(), ...build.melange.arches])];
}

async function engine(name: string, remedy: string): Promise<string> {
  const program = await findEngine(name, engineFolders());
  if (program !== undefined) return program;
  throw new RegrowError('tool.missing', `${name} is not on this machine, and builds with melange need it`, {
    retry: 'later',
    remedy: `${remedy}; or set build.engine: host`,
  });
}
