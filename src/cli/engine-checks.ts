import { existsSync } from 'node:fs';
import { findEngine } from '../adapters/engine-program.ts';
import { engineFolders } from '../config/engine-folders.ts';
import type { Config } from '../config/schema.ts';
import type { Exec } from '../ports/exec.ts';
import { hostArch } from '../roles/host-engine.ts';
import { type Check, fail, ok, warn } from './doctor-check.ts';

/** Where melange reaches docker, unless `DOCKER_HOST` says otherwise. */
const dockerSocket = '/var/run/docker.sock';

export interface EngineCheckOptions {
  readonly config: Config;
  readonly exec: Exec;
  /** Where engines are looked for. Default: where builders look. */
  readonly folders?: readonly string[];
}

/** The engines of others that the configuration asks for. Nothing is said of those that it does not. */
export async function checkEngines(options: EngineCheckOptions): Promise<readonly Check[]> {
  const { build, images } = options.config;
  return [
    ...(await checkMelange(new Set([build.engine, ...Object.values(build.engines)]), options)),
    ...(await checkApko(new Set([images.engine, ...Object.values(images.engines)]), options)),
  ];
}

async function checkApko(asked: ReadonlySet<string>, options: EngineCheckOptions): Promise<readonly Check[]> {
  const program = { name: 'apko', option: 'images.engine', needed: asked.has('apko') } as const;
  if (asked.has('apko')) return [await checkProgram({ ...program, why: 'makes images' }, options)];
  if (asked.has('auto')) return [await checkProgram({ ...program, why: 'makes images that regrow cannot' }, options)];
  return [];
}

async function checkMelange(asked: ReadonlySet<string>, options: EngineCheckOptions): Promise<readonly Check[]> {
  if (!asked.has('melange') && !asked.has('auto')) return [];
  const { version } = options.config.build.melange;
  const needed = asked.has('melange');
  const why = needed ? 'builds packages' : 'builds what the host engine cannot';
  const program = { name: 'melange', option: 'build.engine', needed, why, version } as const;
  return [await checkProgram(program, options), ...(await checkRunner(options))];
}

/** What melange's runner stands on; bubblewrap is looked at anyway. */
async function checkRunner({ config, folders = engineFolders() }: EngineCheckOptions): Promise<readonly Check[]> {
  const { runner, environment, arches } = config.build.melange;
  if (runner === 'docker') {
    const { DOCKER_HOST: address } = environment;
    if (address !== undefined) return [ok('docker', `${address}, as build.melange.environment says`)];
    if (existsSync(dockerSocket)) return [ok('docker', dockerSocket)];
    const remedy = 'start docker, or name its address as DOCKER_HOST under build.melange.environment';
    return [fail('docker', `there is no ${dockerSocket}, and melange is to run steps in docker`, remedy)];
  }
  if (runner !== 'qemu') return [];
  const checks: Check[] = [];
  for (const arch of [hostArch(), ...arches]) {
    const name = `qemu-system-${arch}`;
    const program = await findEngine(name, folders);
    const remedy = 'install it (Debian: apt-get install qemu-system), or choose another build.melange.runner';
    checks.push(
      program === undefined
        ? fail(name, 'is not on this machine; melange runs steps in it', remedy)
        : ok(name, program),
    );
  }
  return checks;
}

interface Program {
  readonly name: 'melange' | 'apko';
  readonly why: string;
  /** The option that asks for it. */
  readonly option: string;
  /** Whether nothing goes without it. */
  readonly needed: boolean;
  /** The only one that will do. */
  readonly version?: string;
}

async function checkProgram(wanted: Program, { exec, folders = engineFolders() }: EngineCheckOptions): Promise<Check> {
  const { name, why, option, needed } = wanted;
  const program = await findEngine(name, folders);
  if (program === undefined) {
    const remedy = `run \`scripts/setup --engines\`, or put it on the PATH of the builders; or change ${option}`;
    const text = `is not on this machine; it ${why}`;
    return needed ? fail(name, text, remedy) : warn(name, text, remedy);
  }
  const { exitCode, stdout, stderr } = await exec.run({ argv: [program, 'version'], timeout: 10_000 });
  const version = /GitVersion:\s*(\S+)/.exec(Buffer.from(stdout).toString('utf8'))?.[1];
  if (exitCode !== 0 || version === undefined) {
    return fail(
      name,
      `${program} does not run: ${stderr.trim().slice(-200)}`,
      'install it again: scripts/setup --engines',
    );
  }
  if (wanted.version === undefined || wanted.version === version) return ok(name, `${program}, ${version}`);
  return fail(
    name,
    `${program} is ${version}, and builds are planned for ${wanted.version}`,
    `install ${wanted.version}, or set build.${name}.version to what all builders have`,
  );
}
