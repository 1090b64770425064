import { RegrowError } from '../errors.ts';
import { parseDependency } from './dependency.ts';
import { type ImageFile, type ImageGroup, type ImagePath, type ImageUser, imageFileSchema } from './image-schema.ts';
import { type ImageEngine, imageObstacles, serviceSupervisor } from './image-support.ts';
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
  /** What it runs is a supervisor of services, which never ends by itself. */
  readonly isSupervised: boolean;
}

export interface ParsedImageDefinition {
  readonly definition: ImageDefinition;
  /** The one that was asked for, or chosen. */
  readonly engine: ImageEngine;
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

/** `auto`: apko for what regrow's own assembler cannot do. */
export type ImageEngineChoice = ImageEngine | 'auto';

/**
 * Reads an image definition for an engine. Keys that apko does not know are reported as problems, as is what is left out here on
 * purpose. Throws image.invalid, naming file, field and remedy, for what is malformed and for what the engine cannot do.
 */
export function parseImageDefinition(
  path: string,
  text: string,
  engine: ImageEngineChoice = 'regrow',
): ParsedImageDefinition {
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
  const obstacles = imageObstacles(parsed.data);
  const chosen = engine === 'auto' ? (obstacles.some(({ apko }) => apko) ? 'apko' : 'regrow') : engine;
  const obstacle = obstacles.find(({ apko }) => chosen === 'regrow' || !apko);
  if (obstacle !== undefined) throw refuse(obstacle.field, obstacle.why, obstacle.remedy);
  const problems: RecipeProblem[] = [];
  const report = (field: string, message: string): void => {
    const line = lineAt(text, field.split('.'));
    problems.push({ path: field, ...(line === undefined ? {} : { line }), message });
  };
  findUnknownKeys(imageFileSchema, value, (keys) => report(keys.join('.'), `unknown key ${String(keys.at(-1))}`));
  if ((parsed.data.contents?.keyring ?? []).length > 0) {
    report('contents.keyring', 'the image trusts the keys of the distribution; others are not fetched');
  }
  return { definition: toDefinition(parsed.data, refuse), engine: chosen, problems };
}

/**
 * A definition as apko would lock it: its own keys, with every package pinned and the architectures that the image is for. It is
 * one that `parseImageDefinition` could read.
 */
export function lockImageFile(path: string, text: string, packages: readonly string[], archs: readonly Arch[]): object {
  const file = readImageFile(path, text);
  return { ...file, contents: { ...file.contents, packages: [...packages] }, archs: [...archs] };
}

/** All that a definition says, in the words of the file. It has to be one that `parseImageDefinition` could read. */
export function readImageFile(path: string, text: string): ImageFile {
  return imageFileSchema.parse(readFile(path, text));
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
  const isSupervised = entrypoint?.type === 'service-bundle';
  const command =
    fragment === undefined ? words('entrypoint.command', entrypoint?.command) : ['/bin/sh', '-c', fragment];
  return {
    packages: isSupervised ? [...packages, serviceSupervisor.package] : packages,
    repositories: [...(contents?.repositories ?? []), ...(contents?.runtime_repositories ?? [])],
    entrypoint: isSupervised ? serviceSupervisor.command : command,
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
    isSupervised,
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
