import { RegrowError } from '../../errors.ts';
import { decodeName } from '../../formats/purl.ts';
import type { BuildSource } from '../../model/build.ts';
import type { ResolvedStep } from '../../model/recipe/resolved.ts';
import type { Git } from '../../ports/git.ts';
import type { Sources } from '../../ports/sources.ts';
import type { Workspace } from '../../ports/workspace.ts';

export interface NativeStepContext {
  readonly workspace: Workspace;
  /** What the steps see as `/home/build`, relative to the workspace. */
  readonly build: string;
  /** Time of what is downloaded, seconds since 1970. */
  readonly sourceDateEpoch: number;
  readonly sources: Sources;
  readonly git: Git;
  readonly package: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

type Inputs = Readonly<Record<string, string>>;

/** Does a `fetch` or `git-checkout` outside of the sandbox, which has no network. Returns what the SBOM says of it. */
export function runNativeStep(step: ResolvedStep, context: NativeStepContext): Promise<BuildSource> {
  const inputs = step.native?.with ?? {};
  return step.native?.uses === 'git-checkout'
    ? checkOut(inputs, step.workingDirectory, context)
    : fetchArchive(inputs, step.workingDirectory, context);
}

async function fetchArchive(
  inputs: Inputs,
  workingDirectory: string,
  context: NativeStepContext,
): Promise<BuildSource> {
  const { workspace, sources, say, signal } = context;
  const uri = inputs['uri'] ?? '';
  const sha256 = inputs['expected-sha256'] ?? '';
  const sha512 = inputs['expected-sha512'] ?? '';
  const expected = { ...(sha256 === '' ? {} : { sha256 }), ...(sha512 === '' ? {} : { sha512 }) };
  const file = await sources.fetch(uri, expected, signal);
  say(`fetched ${uri}, ${file.bytes} bytes, sha256 ${file.sha256}`);
  const directory = workspacePath(workingDirectory, '.', context);
  const name = baseName(uri);
  if (inputs['delete'] !== 'true') {
    await workspace.copy(file.path, `${directory}/${name}`, context.build);
    await workspace.setTimes(`${directory}/${name}`, context.sourceDateEpoch);
  }
  if (inputs['extract'] !== 'false') {
    const into = workspacePath(workingDirectory, inputs['directory'] ?? '.', context);
    await workspace.extract(
      file.path,
      into,
      wholeNumber(inputs['strip-components'] ?? '1', 'strip-components', context),
      context.build,
    );
  }
  return { kind: 'archive', url: uri, sha256: file.sha256, ...(sha512 === '' ? {} : { sha512: file.sha512 }) };
}

async function checkOut(inputs: Inputs, workingDirectory: string, context: NativeStepContext): Promise<BuildSource> {
  const { workspace, git, say, signal } = context;
  const repository = inputs['repository'] ?? '';
  const tag = inputs['tag'] ?? '';
  const branch = inputs['branch'] ?? '';
  const expected = inputs['expected-commit'] ?? '';
  const destination = workspacePath(workingDirectory, inputs['destination'] ?? '.', context);
  if (await workspace.exists(`${destination}/.git`)) {
    throw new RegrowError(
      'build.refused',
      `${context.package}: git-checkout into a directory that is a repository already`,
      {
        package: context.package,
        field: 'git-checkout.destination',
        remedy: 'give each git-checkout a destination of its own',
      },
    );
  }
  const checkOutInto = (into: string) =>
    git.checkout({
      repository,
      ...(tag === '' ? {} : { tag }),
      ...(tag !== '' || branch === '' ? {} : { branch }),
      ...(expected === '' ? {} : { commit: expected }),
      into,
      recurseSubmodules: inputs['recurse-submodules'] === 'true',
      signal,
    });
  // Not where a step was before: it may have left repositories, also of submodules, with settings that make git run
  // programs, here where nothing holds them.
  const head = await workspace.fill(destination, checkOutInto, context.build);
  if (expected !== '' && head.commit !== expected) {
    const ref = tag === '' ? branch : tag;
    throw new RegrowError(
      'source.hash-mismatch',
      `${ref} of ${repository} is commit ${head.commit}, the recipe pins ${expected}`,
      {
        package: context.package,
        field: 'git-checkout.expected-commit',
        remedy: 'find out why upstream moved the tag before you change the commit in the recipe',
      },
    );
  }
  // Checking out gives every file the time of now; the commit's is the same each time.
  await workspace.setTimes(destination, head.time);
  say(`checked out ${repository} at ${head.commit}${expected === '' ? ', which the recipe does not pin' : ''}`);
  return { kind: 'git', repository, ...(tag === '' ? {} : { tag }), commit: head.commit };
}

/** A path of the sandbox below `/home/build`, relative to the workspace. */
function workspacePath(workingDirectory: string, relative: string, context: NativeStepContext): string {
  const joined = relative.startsWith('/') ? relative : `${workingDirectory}/${relative}`;
  const parts: string[] = [];
  for (const part of joined.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  const path = `/${parts.join('/')}`;
  if (path !== '/home/build' && !path.startsWith('/home/build/')) {
    throw new RegrowError('build.output-unsafe', `${context.package}: sources may not be put into ${path}`, {
      package: context.package,
      remedy: 'choose a directory below /home/build',
    });
  }
  return context.build + path.slice('/home/build'.length);
}

/** What the file is called in the working directory: the last part of the address's path. */
function baseName(uri: string): string {
  const path = URL.canParse(uri) ? new URL(uri).pathname : uri;
  const name = decodeName(path.split('/').at(-1) ?? '').replaceAll(/[/\0]/g, '_');
  return name === '' || name === '.' || name === '..' || Buffer.byteLength(name) > 255 ? 'download' : name;
}

function wholeNumber(text: string, name: string, context: NativeStepContext): number {
  if (/^\d{1,3}$/.test(text)) return Number(text);
  throw new RegrowError(
    'recipe.malformed',
    `${context.package}: ${name} is ${JSON.stringify(text)}, not a whole number`,
    {
      package: context.package,
      field: `fetch.${name}`,
    },
  );
}
