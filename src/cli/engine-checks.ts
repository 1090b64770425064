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
  const { engine } = options.config.images;
  if (engine === 'regrow') return [];
  return [
    await checkEngine('apko', engine === 'apko' ? 'makes every image' : 'makes images that regrow cannot', options),
  ];
}

async function checkEngine(name: 'apko', why: string, options: EngineCheckOptions): Promise<Check> {
  const { exec, folders = engineFolders() } = options;
  const program = await findEngine(name, folders);
  if (program === undefined) {
    const remedy = `run \`scripts/setup --engines\`, or put ${name} on the PATH of the builders; or change images.engine`;
    const text = `is not on this machine; it ${why}`;
    return options.config.images.engine === 'auto' ? warn(name, text, remedy) : fail(name, text, remedy);
  }
  const { exitCode, stdout, stderr } = await exec.run({ argv: [program, 'version'], timeout: 10_000 });
  const version = /GitVersion:\s*(\S+)/.exec(Buffer.from(stdout).toString('utf8'))?.[1];
  if (exitCode === 0 && version !== undefined) return ok(name, `${program}, ${version}`);
  return fail(
    name,
    `${program} does not run: ${stderr.trim().slice(-200)}`,
    `install it again: scripts/setup --engines`,
  );
}
