import { basename, dirname } from 'node:path';
import { RegrowError } from '../../../errors.ts';
import type { Sandbox } from '../../../ports/sandbox.ts';
import type { UnpackEntry, Workspace } from '../../../ports/workspace.ts';
import { imageInvalid } from '../root.ts';

export interface ApkoLimits {
  /** Milliseconds for each call of apko. */
  readonly timeout: number;
  /** Bytes. */
  readonly outputLimit: number;
  /** Processes at a time. */
  readonly processLimit: number;
}

/** Where things are in the sandbox. They end up in `/etc/apko.json` of the image, so they are the same on every machine. */
const place = {
  engine: '/engine',
  configuration: '/input/image.yaml',
  repository: '/input/repository',
  keys: '/input/keys',
  snapshotKey: '/input/snapshot',
  lock: '/work/lock.json',
  layout: '/work/layout',
  cache: '/work/cache',
} as const;

/** The machine's libraries, for an apko that is linked with them. */
export const hostLinks: readonly UnpackEntry[] = ['bin', 'lib', 'lib64'].map((path) => ({
  path,
  type: 'symlink',
  mode: 0o777,
  link: `host/usr/${path}`,
}));

/** `apko lock`, a command that its help does not list; against the snapshot, whose key it is given. */
export function lockArguments(snapshotKey: string): readonly string[] {
  return [
    'lock',
    place.configuration,
    '--build-repository-append',
    place.repository,
    '--keyring-append',
    `${place.snapshotKey}/${snapshotKey}`,
    '--output',
    place.lock,
    '--cache-dir',
    place.cache,
  ];
}

/**
 * The keys are those that the image is to trust, since apko leaves its keyring in the image. None of them signed the index of the
 * repository, which is not read again: the packages are those of the lock file, by their checksums.
 */
export function buildArguments(ref: string, keys: readonly string[]): readonly string[] {
  return [
    'build',
    place.configuration,
    ref,
    `${place.layout}/`,
    '--lockfile',
    place.lock,
    '--build-repository-append',
    place.repository,
    ...keys.flatMap((key) => ['--keyring-append', `${place.keys}/${key}`]),
    '--sbom=false',
    '--vcs=false',
    '--cache-dir',
    place.cache,
  ];
}

export interface ApkoRun {
  readonly sandbox: Sandbox;
  readonly workspace: Workspace;
  readonly program: string;
  readonly limits: ApkoLimits;
  readonly signal: AbortSignal;
  readonly sourceDateEpoch: number;
}

/** Runs apko once. Errors: tool.missing, image.invalid with what apko said, and those of `Sandbox`. */
export async function runApko(ref: string, args: readonly string[], run: ApkoRun): Promise<void> {
  const { sandbox, workspace, program, limits, signal, sourceDateEpoch } = run;
  const chunks: Uint8Array[] = [];
  await workspace.makeDirectory('work/tmp');
  const running = sandbox.run({
    root: workspace.path('root'),
    host: true,
    binds: [
      { from: dirname(program), to: place.engine },
      { from: workspace.path('input'), to: '/input' },
      { from: workspace.path('work'), to: '/work', writable: true },
    ],
    argv: [`${place.engine}/${basename(program)}`, ...args],
    cwd: '/work',
    env: { PATH: '/usr/bin:/bin', SOURCE_DATE_EPOCH: String(sourceDateEpoch), TMPDIR: '/work/tmp' },
    ...limits,
    onOutput: (chunk) => chunks.push(chunk),
    signal,
  });
  const output = () => Buffer.concat(chunks).toString('utf8');
  const exitCode = await running.catch((thrown: unknown) => {
    // The sandbox is there, apko is not: it lies where only its owner comes, or is made for another machine.
    const unstarted = /^bwrap: execvp .*$/m.exec(output());
    throw unstarted === null ? thrown : apkoMissing(ref, `${program} cannot be started: ${unstarted[0]}`);
  });
  if (exitCode === 0) return;
  const said = lastWords(output());
  throw imageInvalid(
    `apko ${args[0] ?? ''} of ${ref} ended with ${exitCode}: ${said}`,
    'correct the definition or the packages as apko says; the published image stays as it is',
  );
}

/** What apko says last, without colours: its error, which may have several lines, where it has one. */
function lastWords(output: string): string {
  const lines = output
    .replace(/\x1b\[[0-9;]*m/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const error = lines.findLastIndex((line) => /^(?:Error|panic|fatal error):/.test(line));
  const words = error === -1 ? lines.slice(-1) : lines.slice(error);
  return words.length === 0 ? 'it said nothing' : words.join(' ').slice(0, 800);
}

export function apkoMissing(ref: string, why = 'it is not on this builder'): RegrowError {
  return new RegrowError('tool.missing', `${ref} is for apko, and ${why} (scripts/setup --engines builds it)`, {
    remedy:
      'install apko: scripts/setup --engines builds it, and it is found on the PATH or in $REGROW_ENGINES, where everyone has to ' +
      'be able to read and run it; or set images.engine to regrow',
  });
}
