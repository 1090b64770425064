import type { Arch, Libc } from '../target.ts';

interface Triplets {
  /** CPU and vendor of the GNU triplet, and what follows the C library's name. */
  readonly gnu: readonly [cpuVendor: string, abi: string];
  readonly rust: readonly [cpuVendor: string, abi: string];
  readonly go: string;
}

/** From apko `pkg/build/types`, Architecture: ToTriplet, ToRustTriplet and the OCI name. */
const triplets: Readonly<Record<Arch, Triplets>> = {
  x86_64: { gnu: ['x86_64-pc', ''], rust: ['x86_64-unknown', ''], go: 'amd64' },
  aarch64: { gnu: ['aarch64-unknown', ''], rust: ['aarch64-unknown', ''], go: 'arm64' },
  armv7: { gnu: ['armv7l-unknown', 'eabihf'], rust: ['armv7-unknown', 'eabihf'], go: 'arm' },
  i386: { gnu: ['i486-pc', ''], rust: ['i686-unknown', ''], go: '386' },
  ppc64le: { gnu: ['powerpc64le-unknown', ''], rust: ['powerpc64le-unknown', ''], go: 'ppc64le' },
  riscv64: { gnu: ['riscv64-unknown', ''], rust: ['riscv64gc-unknown', ''], go: 'riscv64' },
  s390x: { gnu: ['s390x-ibm', ''], rust: ['s390x-unknown', ''], go: 's390x' },
};

/** `x86_64-pc-linux-gnu` */
export function gnuTriplet(arch: Arch, libc: Libc): string {
  const [cpu, abi] = triplets[arch].gnu;
  return `${cpu}-linux-${libc}${abi}`;
}

/** `x86_64-unknown-linux-gnu` */
export function rustTriplet(arch: Arch, libc: Libc): string {
  const [cpu, abi] = triplets[arch].rust;
  return `${cpu}-linux-${libc}${abi}`;
}

/** GOARCH. */
export function goArch(arch: Arch): string {
  return triplets[arch].go;
}
