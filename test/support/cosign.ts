import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { engineOrSkip } from './engines.ts';

const run = promisify(execFile);

/** Runs cosign; gives what it prints. Throws what it says against it. */
export type Cosign = (args: readonly string[], environment?: Readonly<Record<string, string>>) => Promise<string>;

/**
 * cosign, as `engineOrSkip` finds it. `home`: where it keeps what it knows; with `config.json` in it, the logins of
 * registries.
 */
export async function findCosign(): Promise<((home: string) => Cosign) | undefined> {
  const program = await engineOrSkip('cosign');
  if (program === undefined) return undefined;
  return (home) => async (args, environment) => {
    const env = { HOME: home, DOCKER_CONFIG: home, TUF_ROOT: home, PATH: process.env['PATH'], ...environment };
    return (await run(program, [...args], { env, maxBuffer: 64 * 1024 * 1024 })).stdout;
  };
}
