import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findEngine } from '../../src/adapters/engine-program.ts';
import { engineFolders } from '../../src/config/engine-folders.ts';

const run = promisify(execFile);

/** Runs cosign; gives what it prints. Throws what it says against it. */
export type Cosign = (args: readonly string[], environment?: Readonly<Record<string, string>>) => Promise<string>;

/**
 * cosign of the PATH, of `scripts/setup --engines`, or of this project's machine; says once why what needs it is skipped where it is not
 * there. `home`: where it keeps what it knows; with `config.json` in it, the logins of registries.
 */
export async function findCosign(): Promise<((home: string) => Cosign) | undefined> {
  const program = await findEngine('cosign', [...engineFolders(), '/opt/regrow-engines/bin']);
  if (program === undefined) {
    process.stderr.write(
      'skipped: cosign is not on the PATH, nor in $REGROW_ENGINES (docs/images.md, "Checking it")\n',
    );
    return undefined;
  }
  return (home) => async (args, environment) => {
    const env = { HOME: home, DOCKER_CONFIG: home, TUF_ROOT: home, PATH: process.env['PATH'], ...environment };
    return (await run(program, [...args], { env, maxBuffer: 64 * 1024 * 1024 })).stdout;
  };
}
