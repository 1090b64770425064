import { z } from 'zod';

/** apk architectures that melange knows (melange `pkg/config`, apko `types.ParseArchitecture`). */
export const arches = ['x86_64', 'aarch64', 'armv7', 'i386', 'ppc64le', 'riscv64', 's390x'] as const;
export const libcs = ['gnu', 'musl'] as const;

export type Arch = (typeof arches)[number];
export type Libc = (typeof libcs)[number];

/** What is built for: an architecture and a C library. One queue, one repository and one key set each. */
export interface Target {
  readonly arch: Arch;
  readonly libc: Libc;
}

/** `x86_64-gnu` */
export type TargetName = `${Arch}-${Libc}`;

export const targetNameSchema = z.templateLiteral([z.enum(arches), '-', z.enum(libcs)], {
  error: `must be an architecture and a C library, as x86_64-gnu: ${arches.join(', ')}; ${libcs.join(', ')}`,
});

export function targetName(target: Target): TargetName {
  return `${target.arch}-${target.libc}`;
}

export function parseTarget(name: TargetName): Target {
  const dash = name.lastIndexOf('-');
  return { arch: name.slice(0, dash) as Arch, libc: name.slice(dash + 1) as Libc };
}

/** The Go-style architecture name that OCI images carry (OCI image specification, `platform.architecture`). */
export function ociArch(arch: Arch): { architecture: string; variant?: string } {
  switch (arch) {
    case 'x86_64':
      return { architecture: 'amd64' };
    case 'aarch64':
      return { architecture: 'arm64' };
    case 'armv7':
      return { architecture: 'arm', variant: 'v7' };
    case 'i386':
      return { architecture: '386' };
    default:
      return { architecture: arch };
  }
}
