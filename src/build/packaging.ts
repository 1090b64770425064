import { RegrowError } from '../errors.ts';
import { assembleApk } from '../formats/apk-assembly.ts';
import { type ElfFile, readElf } from '../formats/elf.ts';
import { type PackageSbomFacts, sbomPath, writePackageSbom } from '../formats/package-sbom.ts';
import { checkSize, checkTree } from '../formats/package-tree.ts';
import type { TarEntry } from '../formats/tar.ts';
import type { Artifact } from '../model/artifact.ts';
import { sha256 } from '../model/canonical.ts';
import type { ResolvedPackage } from '../model/recipe/resolved.ts';
import { parseTarget, type TargetName } from '../model/target.ts';
import type { TreeEntry } from '../ports/workspace.ts';
import { scanDependencies } from './dependency-scan.ts';
import { directoryOf, fileName, libraryDirectories, type ScannedFile } from './scan/findings.ts';

/** What a build installed for one package: entries as `Workspace.walk` gives them, and their contents by the same path. */
export interface PackageTree {
  readonly entries: readonly TreeEntry[];
  read(path: string): Promise<Uint8Array>;
}

export interface PackagingInput {
  /** The package of the recipe that is made. */
  readonly package: ResolvedPackage;
  readonly tree: PackageTree;
  /** The other packages of the recipe: a `-dev` link to a library of theirs becomes a dependency. */
  readonly siblings: readonly PackageTree[];
  /** Name of the recipe's first package. */
  readonly origin: string;
  /** `VERSION-rEPOCH` */
  readonly fullVersion: string;
  readonly target: TargetName;
  /** Commit of the recipe. */
  readonly commit: string;
  /** Seconds since 1970: the time of every file, and of the build. */
  readonly sourceDateEpoch: number;
  /** `.melange.yaml`: the recipe as built, with its resolved environment. */
  readonly configuration: string;
  /** What the SBOM says of where the package comes from. */
  readonly provenance: Pick<PackageSbomFacts, 'distribution' | 'recipe' | 'sources' | 'tools' | 'licenseTexts'>;
}

export interface PackagedTree {
  readonly artifact: Artifact;
  /** The unsigned package file: control + data. */
  readonly bytes: Uint8Array;
}

function wrongTree(name: string, path: string, what: string): RegrowError {
  return new RegrowError('build.output-unsafe', `package ${name}: ${path} ${what}`, { package: name, file: path });
}

/** Parents first, and within a directory by the bytes of the name, as Go's WalkDir orders; whatever order came in. */
function sortEntries<T extends { readonly path: string }>(entries: readonly T[]): T[] {
  const keyed = entries.map((entry) => ({ entry, key: Buffer.from(entry.path.replaceAll('/', '\0'), 'utf8') }));
  return keyed.toSorted((a, b) => Buffer.compare(a.key, b.key)).map(({ entry }) => entry);
}

async function readFiles(tree: PackageTree): Promise<Map<string, Uint8Array>> {
  const contents = new Map<string, Uint8Array>();
  for (const entry of tree.entries) {
    if (entry.type === 'file') contents.set(entry.path, await tree.read(entry.path));
  }
  return contents;
}

/** Where loaders look for libraries: by themselves, and by way of the `/etc/ld.so.conf.d/*.conf` of some trees. */
async function readLibraryDirectories(trees: readonly PackageTree[]): Promise<ReadonlySet<string>> {
  const directories = new Set<string>(libraryDirectories);
  for (const tree of trees) {
    for (const { path, type } of tree.entries) {
      if (type !== 'file' || directoryOf(path) !== 'etc/ld.so.conf.d' || !path.endsWith('.conf')) continue;
      for (const line of Buffer.from(await tree.read(path))
        .toString('utf8')
        .split('\n')) {
        const directory = line.replace(/#.*/, '').trim();
        if (directory.startsWith('/'))
          directories.add(
            directory
              .split('/')
              .filter((part) => part !== '')
              .join('/'),
          );
      }
    }
  }
  return directories;
}

/** Sonames by the file names that links may lead to, from the library directories of some trees. */
async function readSonames(
  trees: readonly PackageTree[],
  directories: ReadonlySet<string>,
): Promise<Map<string, string>> {
  const sonames = new Map<string, string>();
  for (const tree of trees) {
    const links: TreeEntry[] = [];
    for (const entry of tree.entries) {
      if (!directories.has(directoryOf(entry.path))) continue;
      if (entry.type === 'symlink') links.push(entry);
      if (entry.type !== 'file' || !entry.path.includes('.so')) continue;
      const soname = readElf(await tree.read(entry.path))?.soname;
      if (soname !== undefined) sonames.set(fileName(entry.path), soname);
    }
    for (const link of links) {
      const soname = sonames.get(fileName(link.link ?? ''));
      if (soname !== undefined) sonames.set(fileName(link.path), soname);
    }
  }
  return sonames;
}

function tarEntry(name: string, entry: TreeEntry, contents: ReadonlyMap<string, Uint8Array>): TarEntry {
  const { path, type, mode, link } = entry;
  if (type === 'other') throw wrongTree(name, path, 'is a device, pipe or socket');
  const content = contents.get(path);
  return {
    path,
    type,
    mode: type === 'symlink' ? 0o777 : mode,
    ...(link === undefined ? {} : { link }),
    ...(content === undefined ? {} : { content }),
  };
}

/** The SBOM as a file of the package, with the directories above it that the build did not make. */
function sbomEntries(input: PackagingInput): readonly TarEntry[] {
  const { package: recipe, fullVersion, target, origin, sourceDateEpoch } = input;
  const path = sbomPath(recipe.name, fullVersion);
  const present = new Map(input.tree.entries.map((entry) => [entry.path, entry.type]));
  if (present.has(path)) throw wrongTree(recipe.name, path, 'is written by the packager, not by a recipe');
  const text = writePackageSbom({
    ...input.provenance,
    name: recipe.name,
    version: fullVersion,
    arch: parseTarget(target).arch,
    origin,
    description: recipe.description,
    url: recipe.url,
    licenses: recipe.licenses,
    sourceDateEpoch,
  });
  const directories = ['var', 'var/lib', 'var/lib/db', 'var/lib/db/sbom'].filter((directory) => {
    const type = present.get(directory) ?? 'directory';
    if (type !== 'directory') throw wrongTree(recipe.name, directory, 'has to be a directory: the SBOM goes below it');
    return !present.has(directory);
  });
  return [
    ...directories.map((directory) => ({ path: directory, type: 'directory' as const, mode: 0o755 })),
    { path, type: 'file', mode: 0o644, content: Buffer.from(text, 'utf8') },
  ];
}

/** Installed size: the bytes of regular files, each hard-linked file once. Directories count nothing, as their size is the filesystem's. */
function installedSize(entries: readonly TarEntry[]): number {
  return entries.reduce((sum, entry) => sum + (entry.type === 'file' ? (entry.content?.length ?? 0) : 0), 0);
}

function scannedFiles(tree: PackageTree, contents: ReadonlyMap<string, Uint8Array>): ScannedFile[] {
  return tree.entries.flatMap((entry): ScannedFile[] => {
    // A hard link is a file of its own name: `bin/a` and `bin/b` are both commands.
    const content = contents.get(entry.type === 'hardlink' ? (entry.link ?? '') : entry.path);
    if (content === undefined || (entry.type !== 'file' && entry.type !== 'hardlink')) return [];
    const elf: ElfFile | undefined = readElf(content);
    return [{ path: entry.path, mode: entry.mode, content, elf }];
  });
}

/**
 * Makes one package of what a build installed: checks the tree, finds depends and provides in it, writes the SBOM into it,
 * and assembles the unsigned apk. The same tree, recipe and epoch give the same bytes. Each file is held in memory once.
 * Errors: build.output-unsafe, package.malformed, recipe.malformed; each names the package.
 */
export async function packageTree(input: PackagingInput): Promise<PackagedTree> {
  const { package: recipe, tree, fullVersion, sourceDateEpoch } = input;
  checkTree(recipe.name, sortEntries(tree.entries));
  // Of the siblings libraries are read, below.
  for (const one of [tree, ...input.siblings]) checkSize(recipe.name, one.entries);
  const contents = await readFiles(tree);
  const directories = await readLibraryDirectories([tree, ...input.siblings]);
  const sonames = await readSonames([tree, ...input.siblings], directories);
  const { depends, provides } = scanDependencies(recipe, {
    name: recipe.name,
    fullVersion,
    declaredDepends: recipe.depends,
    entries: tree.entries,
    files: scannedFiles(tree, contents),
    libraryDirectories: directories,
    sonameOf: (name) => sonames.get(name),
  });
  const entries = sortEntries([
    ...tree.entries.map((entry) => tarEntry(recipe.name, entry, contents)),
    ...sbomEntries(input),
  ]);
  const apk = await assembleApk({
    info: {
      name: recipe.name,
      version: fullVersion,
      arch: parseTarget(input.target).arch,
      size: installedSize(entries),
      origin: input.origin,
      description: recipe.description,
      url: recipe.url,
      commit: recipe.commit === '' ? input.commit : recipe.commit,
      buildDate: sourceDateEpoch,
      licenses: [...recipe.licenses],
      depends: [...depends],
      provides: [...provides],
      replaces: [...recipe.replaces].toSorted(),
      ...(recipe.providerPriority === undefined ? {} : { providerPriority: recipe.providerPriority }),
      ...(recipe.replacesPriority === undefined ? {} : { replacesPriority: recipe.replacesPriority }),
      triggers: [...(recipe.trigger?.paths ?? [])],
    },
    configuration: input.configuration,
    scriptlets: {
      ...definedScriptlets(recipe),
      ...(recipe.trigger === undefined ? {} : { trigger: recipe.trigger.script }),
    },
    entries,
    sourceDateEpoch,
  });
  const { info, checksum, bytes } = apk;
  return { artifact: { info, target: input.target, digest: sha256(bytes), bytes: bytes.length, checksum }, bytes };
}

function definedScriptlets(recipe: ResolvedPackage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(recipe.scriptlets).flatMap(([name, script]) => (script === undefined ? [] : [[name, script]])),
  );
}
