import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createSandbox } from '../adapters/sandbox.ts';
import type { Config } from '../config/schema.ts';
import { reportError } from '../errors.ts';
import { parseTarget } from '../model/target.ts';
import type { Exec } from '../ports/exec.ts';
import { hostArch } from '../roles/host-engine.ts';
import { buildableArches } from '../roles/melange-engine.ts';
import { type Check, fail, ok, warn } from './doctor-check.ts';

/** Where the daemon looks for programs. */
export const programPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Programs that are needed, with their Debian packages and what for. */
const programs = [
  ['git', 'git', 'reads recipes and sources'],
  ['cc', 'gcc libc6-dev', 'compiles for glibc'],
  ['make', 'make', 'runs makefiles of recipes'],
  ['patch', 'patch', 'applies patches of recipes'],
] as const;
const muslProgram = ['musl-gcc', 'musl-tools', 'compiles for musl'] as const;

const gibibyte = 1024 ** 3;
/** Bytes: below the first nothing can be built, below the second not much. */
const leastSpace = gibibyte / 2;
const goodSpace = 10 * gibibyte;

export interface MachineCheckOptions {
  readonly exec: Exec;
  /** Folders in which programs are looked for, with `:` between. */
  readonly path: string;
  readonly musl: boolean;
}

/** Node, the programs that builds need, and whether a sandbox can be made here: one is. */
export async function checkMachine({ exec, path, musl }: MachineCheckOptions): Promise<readonly Check[]> {
  return [
    checkNode(process.versions.node),
    ...[...programs, ...(musl ? [muslProgram] : [])].map(([name, packages, why]) => {
      const found = findProgram(name, path);
      if (found !== undefined) return ok(name, found);
      return fail(name, `is not installed; it ${why}`, `install it (Debian: apt-get install ${packages})`);
    }),
    await checkSandbox(exec, path),
  ];
}

/** Node 20.19 or later: `engines` in package.json. */
export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return ok('node', version);
  return fail('node', `${version} is too old`, 'install Node 20.19 or later');
}

/** The path of a program in folders that have `:` between them; undefined where none has it. */
export function findProgram(name: string, path: string): string | undefined {
  return path
    .split(':')
    .map((folder) => join(folder, name))
    .find((candidate) => isAccessible(candidate, constants.X_OK) && statSync(candidate).isFile());
}

async function checkSandbox(exec: Exec, path: string): Promise<Check> {
  const bubblewrap = findProgram('bwrap', path);
  if (bubblewrap === undefined) {
    return fail(
      'bubblewrap',
      'is not installed; every build runs in it',
      'install it (Debian: apt-get install bubblewrap)',
    );
  }
  try {
    await createSandbox({ exec, bubblewrap }).probe();
    return ok('bubblewrap', `${bubblewrap}; a sandbox was made, and a program ran in it`);
  } catch (thrown) {
    const { message, remedy } = reportError(thrown);
    return fail('bubblewrap', message, remedy);
  }
}

/** A target of another architecture waits for a builder that may not be there. */
export function checkTargets(config: Pick<Config, 'build' | 'targets'>): readonly Check[] {
  const arches = buildableArches(config);
  const foreign = config.targets.filter((target) => !arches.includes(parseTarget(target).arch));
  return foreign.map((target) =>
    warn(
      'targets',
      `this machine (${hostArch()}) does not build for ${target}`,
      `run a builder on a machine that does (\`regrow run --role builder\`), or take ${target} out of targets`,
    ),
  );
}

/** Whether the state directory can be written in, or made; nothing is made. And how much space is left where it is. */
export async function checkState(directory: string): Promise<readonly Check[]> {
  const name = 'state directory';
  let nearest = directory;
  while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest);
  if (!statSync(nearest).isDirectory() || !isAccessible(nearest, constants.W_OK | constants.X_OK)) {
    return [
      fail(
        name,
        `${nearest} is not a folder that this user may write in`,
        `give it to the user that regrow runs as, or set stateDirectory`,
      ),
    ];
  }
  const state = ok(name, nearest === directory ? directory : `${directory} will be made`);
  const { bavail, bsize } = await statfs(nearest);
  return [state, checkSpace(bavail * bsize, nearest)];
}

/** `bytes`: what is free. */
export function checkSpace(bytes: number, folder: string): Check {
  const text = `${(bytes / gibibyte).toFixed(1)} GiB free in ${folder}`;
  const remedy = 'free space, or set stateDirectory to a folder on a larger disk';
  if (bytes < leastSpace) return fail('disk', text, remedy);
  return bytes < goodSpace ? warn('disk', `${text}: little for builds`, remedy) : ok('disk', text);
}

function isAccessible(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** Where builds are made a second time: whether their steps can be on another clock. `library`: as `findFaketime` gives it. */
export function checkSecondBuilds({ verify }: Pick<Config, 'verify'>, library: string | undefined): readonly Check[] {
  if (verify.rebuild === 'never') return [];
  if (library !== undefined) return [ok('second builds', `are made on another clock, by ${library}`)];
  const text = 'are made on the clock of this machine: a date that gets into a package is not seen';
  return [warn('second builds', text, 'install libfaketime (Debian: apt-get install faketime)')];
}
