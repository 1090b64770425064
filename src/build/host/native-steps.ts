import { RegrowError } from '../../errors.ts';
import { decodeName } from '../../formats/purl.ts';
import type { BuildSource } from '../../model/build.ts';
import type { ResolvedStep } from '../../model/recipe/resolved.ts';
import type { Git, GitCommit } from '../../ports/git.ts';
import type { FetchedSource, Sources } from '../../ports/sources.ts';
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

/** Brings what a `fetch` asks for, held to the hashes that the recipe pins. */
export function fetchPinned(
  inputs: Inputs,
  { sources, signal }: Pick<NativeStepContext, 'sources' | 'signal'>,
): Promise<FetchedSource> {
  const sha256 = inputs['expected-sha256'] ?? '';
  const sha512 = inputs['expected-sha512'] ?? '';
  const expected = { ...(sha256 === '' ? {} : { sha256 }), ...(sha512 === '' ? {} : { sha512 }) };
  return sources.fetch(inputs['uri'] ?? '', expected, signal);
}

/** What the SBOM says of a fetched file. */
export function archiveSource(inputs: Inputs, file: FetchedSource): BuildSource {
  const sha512 = (inputs['expected-sha512'] ?? '') === '' ? {} : { sha512: file.sha512 };
  return { kind: 'archive', url: inputs['uri'] ?? '', sha256: file.sha256, ...sha512 };
}

/**
 * Checks out what a `git-checkout` asks for into a directory, which no step has been in. Errors: source.hash-mismatch where it
 * is not the commit that the recipe pins.
 */
export async function checkOutPinned(
  inputs: Inputs,
  into: string,
  context: Pick<NativeStepContext, 'git' | 'package' | 'signal'>,
): Promise<GitCommit> {
  const { repository, tag, branch, expected } = gitInputs(inputs);
  const head = await context.git.checkout({
    repository,
    ...(tag === '' ? {} : { tag }),
    ...(tag !== '' || branch === '' ? {} : { branch }),
    ...(expected === '' ? {} : { commit: expected }),
    into,
    recurseSubmodules: inputs['recurse-submodules'] === 'true',
    signal: context.signal,
  });
  if (expected === '' || head.commit === expected) return head;
  throw new RegrowError(
    'source.hash-mismatch',
    `${tag === '' ? branch : tag} of ${repository} is commit ${head.commit}, the recipe pins ${expected}`,
    {
      package: context.package,
      field: 'git-checkout.expected-commit',
      remedy: 'find out why upstream moved the tag before you change the commit in the recipe',
    },
  );
}

/** What the SBOM says of a repository that was checked out. */
export function gitSource(inputs: Inputs, { commit }: GitCommit): BuildSource {
  const { repository, tag } = gitInputs(inputs);
  return { kind: 'git', repository, ...(tag === '' ? {} : { tag }), commit };
}

function gitInputs(inputs: Inputs) {
  return {
    repository: inputs['repository'] ?? '',
    tag: inputs['tag'] ?? '',
    branch: inputs['branch'] ?? '',
    expected: inputs['expected-commit'] ?? '',
  };
}

async function fetchArchive(
  inputs: Inputs,
  workingDirectory: string,
  context: NativeStepContext,
): Promise<BuildSource> {
  const { workspace, say } = context;
  const uri = inputs['uri'] ?? '';
  const file = await fetchPinned(inputs, context);
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
  return archiveSource(inputs, file);
}

async function checkOut(inputs: Inputs, workingDirectory: string, context: NativeStepContext): Promise<BuildSource> {
  const { workspace, say } = context;
  const { repository, expected } = gitInputs(inputs);
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
  // Not where a step was before: it may have left repositories, also of submodules, with settings that make git run
  // programs, here where nothing holds them.
  const head = await workspace.fill(destination, (into) => checkOutPinned(inputs, into, context), context.build);
  // Checking out gives every file the time of now; the commit's is the same each time.
  await workspace.setTimes(destination, head.time);
  say(`checked out ${repository} at ${head.commit}${expected === '' ? ', which the recipe does not pin' : ''}`);
  return gitSource(inputs, head);
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
