import { findEngine } from '../adapters/engine-program.ts';
import { engineFolders } from '../config/engine-folders.ts';
import type { Config } from '../config/schema.ts';
import type { Exec } from '../ports/exec.ts';
import { type Check, fail, ok, warn } from './doctor-check.ts';

export interface EngineCheckOptions {
  readonly config: Config;
  readonly exec: Exec;
  /** Where engines are looked for. Default: where builders look. */
  readonly folders?: readonly string[];
}

/** The engines of others that the configuration asks for. Nothing is said of those that it does not. */
export async function checkEngines(options: EngineCheckOptions): Promise<readonly Check[]> {
  const { engine, engines } = options.config.images;
  const asked = new Set([engine, ...Object.values(engines)]);
  if (asked.has('apko')) return [await checkApko('makes images', true, options)];
  return asked.has('auto') ? [await checkApko('makes images that regrow cannot', false, options)] : [];
}

async function checkApko(why: string, isNeeded: boolean, options: EngineCheckOptions): Promise<Check> {
  const { exec, folders = engineFolders() } = options;
  const name = 'apko';
  const program = await findEngine(name, folders);
  if (program === undefined) {
    const remedy = 'run `scripts/setup --engines`, or put it on the PATH of the builders; or change images.engine';
    const text = `is not on this machine; it ${why}`;
    return isNeeded ? fail(name, text, remedy) : warn(name, text, remedy);
  }
  const { exitCode, stdout, stderr } = await exec.run({ argv: [program, 'version'], timeout: 10_000 });
  const version = /GitVersion:\s*(\S+)/.exec(Buffer.from(stdout).toString('utf8'))?.[1];
  if (exitCode === 0 && version !== undefined) return ok(name, `${program}, ${version}`);
  return fail(
    name,
    `${program} does not run: ${stderr.trim().slice(-200)}`,
    'install it again: scripts/setup --engines',
  );
}
