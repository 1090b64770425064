import { posix } from 'node:path';
import type { PinMeaning, PinStep } from './dependency-pins.ts';
import { areCompatible, compareCargoVersions, readCargoLock } from './manifests/cargo-lock.ts';
import { compareGoVersions, type GoMod, readGoMod } from './manifests/go-mod.ts';
import { compareMavenVersions, readPom } from './manifests/pom.ts';

/** A file of the new release, or why there is none: `is not in the release`. */
export type Manifest = { readonly text: string } | { readonly absent: string };

/** Gives files of the new release by their place in the workspace. */
export type ReadManifest = (path: string) => Manifest;

/** What one project of the release has of a dependency, or why that cannot be told. */
export type Found =
  | { readonly version: string; readonly says: string }
  /** It is not part of this project: its manifest names all that is, and not this. */
  | { readonly unused: string }
  | { readonly unclear: string };

/** The files that have to be read to judge the pins of these steps, by their place in the workspace. */
export function manifestsOf(steps: readonly PinStep[]): readonly string[] {
  const paths = steps.flatMap((step) => {
    const ecosystems = new Set(step.pins.map((pin) => pin.means?.ecosystem));
    return step.roots.flatMap((root) => [
      ...(ecosystems.has('go') ? [posix.join(root, 'go.mod'), ...workspacesOf(root)] : []),
      ...(ecosystems.has('cargo') ? [posix.join(root, 'Cargo.lock')] : []),
      ...(ecosystems.has('maven') ? [pomOf(step, root)] : []),
    ]);
  });
  return [...new Set(paths)];
}

function pomOf(step: PinStep, root: string): string {
  return step.pom ?? posix.join(root, 'pom.xml');
}

/** Go looks for `go.work` in a module's folder and in those above it. */
function workspacesOf(root: string): readonly string[] {
  const folders = [root];
  for (let folder = root; folder !== '.' && !folder.startsWith('..'); ) {
    folder = posix.dirname(folder);
    folders.push(folder);
  }
  return folders.map((folder) => posix.join(folder, 'go.work'));
}

/** How versions are compared; undefined where two have no order. */
export const orders = { go: compareGoVersions, cargo: compareCargoVersions, maven: compareMavenVersions } as const;

/** The version that one project of the release has of what is pinned. */
export function versionIn(means: PinMeaning, root: string, step: PinStep, read: ReadManifest): Found {
  if (means.ecosystem === 'go') return findGo(means, root, read);
  const path = means.ecosystem === 'cargo' ? posix.join(root, 'Cargo.lock') : pomOf(step, root);
  const manifest = read(path);
  if ('absent' in manifest) return { unclear: `${path} ${manifest.absent}` };
  const versions = means.ecosystem === 'cargo' ? readCargoLock(manifest.text) : readPom(manifest.text);
  if (versions === undefined) return { unclear: `${path} cannot be read` };
  const all = versions.get(means.name) ?? [];
  if (all.length === 0) return { unclear: `${path} does not give a version of it` };
  return means.ecosystem === 'cargo' ? findCrate(means, path, all) : lowest(means, path, all);
}

/**
 * A crate may be locked at several versions. Where one is on the pin's own line (`^`), the pin is about that one, and none of
 * the others is touched by it; where none is, it is about all.
 */
function findCrate(means: PinMeaning, path: string, versions: readonly string[]): Found {
  const line = versions.filter((version) => areCompatible(version, means.version));
  return lowest(means, path, line.length > 0 ? line : versions);
}

function lowest({ ecosystem }: PinMeaning, path: string, versions: readonly string[]): Found {
  const compare = orders[ecosystem];
  const [first = '', ...others] = versions;
  let least = first;
  for (const version of others) {
    const order = compare(version, least);
    if (order === undefined) return { unclear: `${path} has it at ${listOf(versions)}, which cannot be compared` };
    if (order < 0) least = version;
  }
  if (least === '') return { unclear: `${path} leaves its version to a parent` };
  return { version: least, says: `${path} has ${least}` };
}

/** What the module and the workspaces that it may be in make of a requirement. A replacement counts for all versions. */
function findGo(means: PinMeaning, root: string, read: ReadManifest): Found {
  const path = posix.join(root, 'go.mod');
  const manifest = read(path);
  if ('absent' in manifest) return { unclear: `${path} ${manifest.absent}` };
  const mod = readGoMod(manifest.text);
  for (const workspace of workspacesOf(root)) {
    const work = read(workspace);
    if ('text' in work && readGoMod(work.text).replaces.some(({ module }) => module === means.name)) {
      return { unclear: `${workspace} replaces it` };
    }
  }
  const replaces = mod.replaces.filter(({ module }) => module === means.name);
  return replaces.length > 0 ? findReplaced(means, path, replaces) : findRequired(means, path, mod);
}

function findReplaced(means: PinMeaning, path: string, replaces: GoMod['replaces']): Found {
  const [one] = replaces;
  const isSame = replaces.length === 1 && one?.version === undefined && one?.by === (means.by ?? means.name);
  if (!isSame || one?.byVersion === undefined) return { unclear: `${path} replaces it by something else` };
  return { version: one.byVersion, says: `${path} replaces it by ${one.byVersion}` };
}

function findRequired(means: PinMeaning, path: string, { requires, excludes, isComplete }: GoMod): Found {
  const version = requires.get(means.name);
  // The replacement is another module: what upstream requires of this one says nothing about that.
  if (means.by !== undefined && means.by !== means.name) return { unclear: `${path} does not replace it` };
  if (version === undefined) {
    const says = `${path} does not name it`;
    return isComplete ? { unused: says } : { unclear: says };
  }
  if (excludes.has(`${means.name}@${version}`)) return { unclear: `${path} excludes the ${version} that it requires` };
  return { version, says: `${path} requires ${version}` };
}

/** As many are named in a sentence. */
const mostNamed = 8;

/** Parts of a sentence, each once. */
export function listOf(parts: readonly string[]): string {
  const all = [...new Set(parts)];
  const more = all.length - mostNamed;
  return `${all.slice(0, mostNamed).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
