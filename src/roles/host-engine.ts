import { hostname } from 'node:os';
import type { HostEngineContext } from '../build/host/context.ts';
import { createHostTools } from '../build/host/host-tools.ts';
import type { Config } from '../config/schema.ts';
import { RegrowError } from '../errors.ts';
import type { Arch } from '../model/target.ts';
import type { SharedParts } from './parts.ts';

const archNames: Readonly<Record<string, Arch>> = {
  x64: 'x86_64',
  arm64: 'aarch64',
  arm: 'armv7',
  ia32: 'i386',
  ppc64: 'ppc64le',
  riscv64: 'riscv64',
  s390x: 's390x',
};

/** The architecture of this machine, as apk calls it. Errors: tool.missing. */
export function hostArch(): Arch {
  const arch = archNames[process.arch];
  if (arch !== undefined) return arch;
  throw new RegrowError('tool.missing', `regrow does not know the architecture ${process.arch}`, {
    remedy: 'run builders on one of the architectures that apk has',
  });
}

/** The limits of every step, in milliseconds and bytes. */
function stepLimits({ build }: Pick<Config, 'build'>): HostEngineContext['limits'] {
  const { stepTimeout, outputLimit, processLimit } = build;
  return { stepTimeout: stepTimeout * 1000, outputLimit, processLimit };
}

/** The host engine as it is configured, on this machine. `builder`: what it is called in results; default: the machine's name. */
export function hostEngineOf(
  { config, sources, git, clock }: Pick<SharedParts, 'config' | 'sources' | 'git' | 'clock'>,
  ports: Pick<HostEngineContext, 'objects' | 'sandbox' | 'workspaces' | 'liveLog'>,
  builder = hostname(),
): HostEngineContext {
  return {
    ...ports,
    sources,
    git,
    clock,
    arch: hostArch(),
    hostTools: createHostTools(config.build.hostTools),
    limits: stepLimits(config),
    distribution: { namespace: config.publish.keyName, name: config.api.title },
    builder,
  };
}
