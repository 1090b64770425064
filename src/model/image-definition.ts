import { RegrowError } from '../errors.ts';
import { parseDependency } from './dependency.ts';
import { type ImageFile, type ImageGroup, type ImagePath, type ImageUser, imageFileSchema } from './image-schema.ts';
import type { RecipeProblem } from './recipe/recipe.ts';
import { findUnknownKeys } from './recipe/unknown-keys.ts';
import { lineAt, readYaml } from './recipe/yaml.ts';
import { splitShellWords } from './shell-words.ts';
import { type Arch, arches } from './target.ts';

export type { ImageGroup, ImagePath, ImageUser } from './image-schema.ts';

/** What an image is to be, from an apko-style file. */
export interface ImageDefinition {
  /** As written: `curl`, `libfoo=1.2-r0`. */
  readonly packages: readonly string[];
  /** What `/etc/apk/repositories` says. */
  readonly repositories: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workDirectory: string | undefined;
  readonly stopSignal: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
  /** A user name, a number, or either with a group: `nonroot`, `65532:65532`. */
  readonly runAs: string | undefined;
  readonly users: readonly ImageUser[];
  readonly groups: readonly ImageGroup[];
  readonly paths: readonly ImagePath[];
  /** Empty: every architecture that there is. */
  readonly archs: readonly Arch[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly volumes: readonly string[];
  /** The most layers the image may have; 1 puts everything into one. */
  readonly layers: number;
}

export interface ParsedImageDefinition {
  readonly definition: ImageDefinition;
  readonly problems: readonly RecipeProblem[];
}

/** The names that apko takes for an architecture besides apk's own (apko `types.ParseArchitecture`). */
const archNames: Readonly<Record<string, Arch>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
  '386': 'i386',
  x86: 'i386',
  'arm/v7': 'armv7',
};

/** Most layers that overlay file systems take together with what runs on top. */
const layerLimit = 100;

/**
 * Reads an image definition. Keys that apko does not know are reported as problems, as is what is left out here on purpose.
 * Throws image.invalid, naming file, field and remedy, for what is malformed and for what regrow cannot do.
 */
export function parseImageDefinition(path: string, text: string): ParsedImageDefinition {
  const value = readFile(path, text);
  const parsed = imageFileSchema.safeParse(value);
  const refuse = (field: string, why: string, remedy: string): RegrowError => {
    const line = lineAt(text, field.split('.'));
    const at = line === undefined ? path : `${path}:${line}`;
    const where = { file: path, field, ...(line === undefined ? {} : { line }) };
    return new RegrowError('image.invalid', `${at}: ${field === '' ? 'the file' : field}: ${why}`, {
      ...where,
      remedy,
    });
  };
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = issue?.path.join('.') ?? '';
    throw refuse(field, issue?.message ?? 'not an image definition', 'correct the field as the apko format asks');
  }
  checkSupport(parsed.data, refuse);
  const problems: RecipeProblem[] = [];
  const report = (field: string, message: string): void => {
    const line = lineAt(text, field.split('.'));
    problems.push({ path: field, ...(line === undefined ? {} : { line }), message });
  };
  findUnknownKeys(imageFileSchema, value, (keys) => report(keys.join('.'), `unknown key ${String(keys.at(-1))}`));
  if ((parsed.data.contents?.keyring ?? []).length > 0) {
    report('contents.keyring', 'the image trusts the keys of the distribution; others are not fetched');
  }
  return { definition: toDefinition(parsed.data, refuse), problems };
}

/**
 * A definition as apko would lock it: its own keys, with every package pinned and the architectures that the image is for. It is
 * one that `parseImageDefinition` could read.
 */
export function lockImageFile(path: string, text: string, packages: readonly string[], archs: readonly Arch[]): object {
  const file = imageFileSchema.parse(readFile(path, text));
  return { ...file, contents: { ...file.contents, packages: [...packages] }, archs: [...archs] };
}

type Refuse = (field: string, why: string, remedy: string) => RegrowError;

function readFile(path: string, text: string): unknown {
  try {
    return readYaml(path, text);
  } catch (cause) {
    if (!(cause instanceof RegrowError)) throw cause;
    throw new RegrowError('image.invalid', cause.message, {
      ...cause.where,
      file: path,
      cause,
      remedy: 'correct the YAML',
    });
  }
}

/** Everything that apko can do and this assembler cannot. */
function checkSupport(file: ImageFile, refuse: Refuse): void {
  const { contents, entrypoint, layering, format, include, options } = file;
  const useApko = 'leave it out, or build this image with apko';
  if (contents?.baseimage !== undefined) throw refuse('contents.baseimage', 'a base image cannot be extended', useApko);
  if (include !== undefined) throw refuse('include', 'other files are not included', 'write it into this file');
  if (options !== undefined) throw refuse('options', 'options are not supported', useApko);
  if (format !== undefined && format !== 'tar') throw refuse('format', `${format} layers cannot be made`, useApko);
  if (entrypoint?.type !== undefined || Object.keys(entrypoint?.services ?? {}).length > 0) {
    throw refuse('entrypoint', 'a service bundle needs a supervisor', 'name one command');
  }
  if (entrypoint?.command !== undefined && entrypoint['shell-fragment'] !== undefined) {
    throw refuse('entrypoint', 'it has a command and a shell-fragment', 'keep one of them');
  }
  if (layering !== undefined && layering.strategy !== 'origin') {
    throw refuse('layering.strategy', `there is no strategy ${layering.strategy}`, 'use origin');
  }
  const budget = layering?.budget;
  if (budget !== undefined && (budget < 1 || budget > layerLimit)) {
    throw refuse('layering.budget', `${budget} layers are not possible`, `give a number from 1 to ${layerLimit}`);
  }
}

function toDefinition(file: ImageFile, refuse: Refuse): ImageDefinition {
  const { contents, entrypoint, accounts, layering } = file;
  const packages = contents?.packages ?? [];
  if (packages.length === 0) throw refuse('contents.packages', 'there are none', 'name the packages of the image');
  for (const [i, name] of packages.entries()) checkPackage(name, `contents.packages.${i}`, refuse);
  const vcsUrl = file['vcs-url'];
  const words = (field: string, text: string | undefined): readonly string[] => {
    const split = splitShellWords(text ?? '');
    if (split === undefined) throw refuse(field, 'a quote is not closed', 'close it');
    return split;
  };
  const fragment = entrypoint?.['shell-fragment'];
  return {
    packages,
    repositories: [...(contents?.repositories ?? []), ...(contents?.runtime_repositories ?? [])],
    entrypoint: fragment === undefined ? words('entrypoint.command', entrypoint?.command) : ['/bin/sh', '-c', fragment],
    cmd: words('cmd', file.cmd),
    workDirectory: file['work-dir'],
    stopSignal: file['stop-signal'],
    environment: file.environment,
    runAs: accounts?.['run-as'],
    users: accounts?.users ?? [],
    groups: accounts?.groups ?? [],
    paths: file.paths.map((path, i) => checkPath(path, `paths.${i}`, refuse)),
    archs: archsOf(file.archs, refuse),
    annotations: {
      ...(vcsUrl === undefined ? {} : { 'org.opencontainers.image.source': vcsUrl }),
      ...file.annotations,
    },
    volumes: file.volumes,
    layers: layering === undefined ? 1 : (layering.budget ?? 10),
  };
}

function checkPackage(text: string, field: string, refuse: Refuse): void {
  try {
    parseDependency(text);
  } catch {
    throw refuse(field, `${JSON.stringify(text)} is no package`, 'write NAME, or NAME with an operator and a version');
  }
}

function checkPath(path: ImagePath, field: string, refuse: Refuse): ImagePath {
  if (path.path.split('/').includes('..'))
    throw refuse(`${field}.path`, 'it leaves the root', 'write an absolute path');
  if ((path.type === 'symlink' || path.type === 'hardlink') && path.source === undefined) {
    throw refuse(`${field}.source`, `the ${path.type} ${path.path} leads nowhere`, 'say its source');
  }
  if (path.type === 'permissions' && path.permissions === undefined) {
    throw refuse(`${field}.permissions`, `it does not say those of ${path.path}`, 'say them');
  }
  return path;
}

function archsOf(names: readonly string[], refuse: Refuse): readonly Arch[] {
  if (names.includes('all')) return [];
  return names.map((name, i) => {
    const arch = archNames[name] ?? arches.find((known) => known === name);
    if (arch === undefined) throw refuse(`archs.${i}`, `there is no architecture ${name}`, `use ${arches.join(', ')}`);
    return arch;
  });
}
