import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Command, InvalidArgumentError, Command as NewCommand } from 'commander';
import { systemClock } from '../adapters/clock.ts';
import { createExec } from '../adapters/exec.ts';
import { openLedger } from '../adapters/ledger.ts';
import { createFsObjects } from '../adapters/objects/fs.ts';
import { createFsReader } from '../adapters/objects/fs-reader.ts';
import { createOverlay } from '../adapters/objects/overlay.ts';
import { readPipelineDirectory } from '../adapters/pipeline-directory.ts';
import { createSandbox } from '../adapters/sandbox.ts';
import { createWorkspaces } from '../adapters/workspace.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { RegrowError } from '../errors.ts';
import { parseTarget, type TargetName, targetNameSchema } from '../model/target.ts';
import { runWithEngine } from '../roles/engine-runner.ts';
import { engineVersions } from '../roles/engine-settings.ts';
import { hostEngineOf } from '../roles/host-engine.ts';
import { buildableArches, melangeEngineOf } from '../roles/melange-engine.ts';
import { openUpstream, statePaths } from '../roles/parts.ts';
import { findPublishedBuilds, type PublishedBuild, type PublishedName } from '../roles/published-build.ts';
import { type RebuildPorts, type Rebuilt, rebuild } from '../roles/rebuilding.ts';
import type { CliContext } from './context.ts';
import { type Output, runCommand } from './output.ts';
import { interrupted } from './signals.ts';
import { rebuiltJson, rebuiltText } from './verify-text.ts';

interface VerifyFlags {
  readonly config?: string;
  readonly target?: TargetName;
  readonly keep?: string;
  readonly json?: boolean;
}

/** `regrow verify NAME`: builds what is published again from its own recorded inputs. Exit code 0 same, 1 different, 3 neither. */
export function verifyCommand({ output }: Pick<CliContext, 'output'>): Command {
  return new NewCommand('verify')
    .description('build a published package again from its own recorded inputs, and say whether it is the same')
    .argument('<package>', 'a recipe or one of its packages, NAME or NAME-VERSION-rN; the newest version without one')
    .option(
      '--target <target>',
      'x86_64-gnu, …; without it every target that this machine can build for',
      parseTargetName,
    )
    .option('--keep <folder>', 'leave what is built, and its log, in a new folder')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nIt reads the state directory and writes nothing there but downloaded sources.')
    .addHelpText('after', 'Example: regrow verify jq-1.8.1-r0 --target x86_64-musl')
    .action(async (text: string, _flags: VerifyFlags, command: Command) => {
      const flags = command.optsWithGlobals<VerifyFlags>();
      let answered = false;
      await runCommand(output, flags.json === true, async () => {
        const { config } = loadConfig({ file: flags.config, roles: ['builder'] });
        const rebuilt = await verify(config, text, flags, output);
        output.progress();
        if (flags.json === true) output.json(rebuiltJson(rebuilt));
        else output.write(rebuiltText(rebuilt, output.style));
        if (rebuilt.some(({ same }) => same === false)) output.exit(1);
        answered = rebuilt.every(({ same }) => same !== undefined);
      });
      // 1 says that it is not the same, and nothing else does.
      if (!answered && output.exitCode !== 2) output.exit(3);
    });
}

function parseTargetName(text: string): TargetName {
  const target = targetNameSchema.safeParse(text);
  if (target.success) return target.data;
  throw new InvalidArgumentError('an architecture and a C library are due, as x86_64-gnu.');
}

/** Both readings of a text: `jq-1.8.1-r0` is a version of jq, unless there is a package of that whole name. */
function namesIn(text: string, target: TargetName | undefined): readonly PublishedName[] {
  const [, name, version] = /^(.+)-([^-]+-r\d+)$/.exec(text) ?? [];
  const whole = { name: text, target };
  return name === undefined ? [whole] : [whole, { name, version, target }];
}

async function verify(config: Config, text: string, flags: VerifyFlags, output: Output): Promise<readonly Rebuilt[]> {
  const paths = statePaths(config);
  if (!existsSync(paths.objects)) {
    throw new RegrowError('storage.failed', `there is no object store at ${paths.objects}`, {
      remedy: 'run it where the object store can be reached, with the configuration of its daemon (--config)',
    });
  }
  const objects = createFsReader(paths.objects);
  const arches = buildableArches(config);
  const isOurs = ({ target }: PublishedBuild) => arches.includes(parseTarget(target).arch);
  const builds = await find(text, flags.target, (name) => findPublishedBuilds(objects, name));
  const own = flags.target === undefined ? builds.filter(isOurs) : builds;
  for (const { target } of builds.filter((build) => !own.includes(build) && own.length > 0)) {
    output.note(`left out: ${target}, which this machine does not build for (${arches.join(', ')})`);
  }
  const { signal, end } = interrupted();
  const kept = flags.keep;
  const scratch = kept === undefined ? await mkdtemp(join(tmpdir(), 'regrow-verify-')) : await keepIn(kept);
  const ledger = existsSync(paths.ledger) ? openLedger({ file: paths.ledger, readonly: true }) : undefined;
  try {
    const ports = await openPorts(config, scratch, (line) => output.progress(line));
    const rebuilt: Rebuilt[] = [];
    for (const build of own.length > 0 ? own : builds) {
      output.note(`building ${build.origin} ${build.version} for ${build.target} again`);
      rebuilt.push(await rebuild({ ...ports, ledger }, build, signal));
    }
    if (kept !== undefined) output.note(`what was built is in ${join(scratch, 'staging')}`);
    return rebuilt;
  } finally {
    end();
    await ledger?.close();
    await rm(kept === undefined ? scratch : join(scratch, 'work'), { recursive: true, force: true });
  }
}

async function find(
  text: string,
  target: TargetName | undefined,
  look: (name: PublishedName) => Promise<readonly PublishedBuild[]>,
): Promise<readonly PublishedBuild[]> {
  const names = namesIn(text, target);
  for (const name of names.slice(0, -1)) {
    const found = await look(name).catch((thrown: unknown) => {
      if (thrown instanceof RegrowError && thrown.code === 'request.not-found') return undefined;
      throw thrown;
    });
    if (found !== undefined) return found;
  }
  return look(names.at(-1) ?? { name: text, target });
}

async function keepIn(folder: string): Promise<string> {
  if (existsSync(folder)) {
    throw new RegrowError('request.invalid', `${folder} is there already`, {
      field: '--keep',
      remedy: 'name a folder that is not there yet',
    });
  }
  await createFsObjects(folder);
  return folder;
}

/** The engine of this machine over the object store as it is; what is written goes into the scratch folder. */
async function openPorts(
  config: Config,
  scratch: string,
  progress: (line: string) => void,
): Promise<Omit<RebuildPorts, 'ledger'>> {
  const exec = createExec();
  const sandbox = createSandbox({ exec });
  await sandbox.probe();
  const objects = createOverlay(createFsReader(statePaths(config).objects), await createFsObjects(scratch));
  const pipelines = await readPipelineDirectory();
  const parts = { config, clock: systemClock, exec, pipelines, ...openUpstream(config, exec) };
  const workspaces = createWorkspaces({ directory: join(scratch, 'work'), exec });
  const liveLog = {
    add: (_buildKey: string, text: string) => progress(text.trimEnd().split('\n').at(-1) ?? ''),
    end: async () => undefined,
  };
  const engine = hostEngineOf(parts, { objects, sandbox, workspaces, liveLog });
  const melange = melangeEngineOf(parts, { objects, workspaces, liveLog }, engine.builder);
  return {
    objects,
    arches: buildableArches(config),
    engines: engineVersions,
    run: runWithEngine(engine, melange),
  };
}
