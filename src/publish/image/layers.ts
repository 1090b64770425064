import { gzipLargeMember } from '../../formats/gzip.ts';
import { type OciLayer, ociBlob, ociMediaTypes } from '../../formats/oci.ts';
import { type TarEntry, writeTar } from '../../formats/tar.ts';
import type { PackageInfo } from '../../model/artifact.ts';
import { sha256 } from '../../model/canonical.ts';
import { replaces } from './install.ts';
import { type Root, type RootFile, sortedFiles } from './root.ts';

/** Packages that share a layer, so that an update of one leaves the other layers as they are. */
interface Group {
  readonly label: string;
  readonly packages: ReadonlySet<string>;
  readonly size: number;
}

/**
 * The root as at most `limit` layers. One layer holds everything; with more, packages of one origin (and those that replace
 * each other's files) are a group, the largest groups have a layer each, the other packages share one, and what the image
 * itself adds comes last. Each layer has the directories that its files need. Same root, same bytes.
 */
export async function makeLayers(
  root: Root,
  packages: readonly PackageInfo[],
  limit: number,
  sourceDateEpoch: number,
): Promise<readonly OciLayer[]> {
  const layers: OciLayer[] = [];
  for (const { label, entries } of layerContents(root, packages, limit)) {
    const tar = layerTar(entries, sourceDateEpoch);
    const { descriptor, bytes } = ociBlob(ociMediaTypes.layer, await gzipLargeMember(tar));
    layers.push({ descriptor, bytes, diffId: `sha256:${sha256(tar)}`, comment: label });
  }
  return layers;
}

/** What each layer has, in the order of the layers and of their archives. */
export function layerContents(
  root: Root,
  packages: readonly PackageInfo[],
  limit: number,
): readonly { readonly label: string; readonly entries: readonly TarEntry[] }[] {
  return groupsFor(packages, limit).map(({ label, packages: names }) => {
    const wanted = limit === 1 ? () => true : ({ from }: RootFile) => names.has(from ?? '');
    return { label, entries: tarEntries(root, wanted) };
  });
}

/** A layer before it is compressed. */
export function layerTar(entries: readonly TarEntry[], sourceDateEpoch: number): Buffer {
  return writeTar(entries, { mtime: sourceDateEpoch, end: true });
}

function groupsFor(packages: readonly PackageInfo[], limit: number): readonly Group[] {
  const last: Group = { label: limit === 1 ? 'all packages' : 'image state', packages: new Set(['']), size: 0 };
  if (limit === 1) return [last];
  const groups = [...originGroups(packages)].toSorted((a, b) => b.size - a.size || (a.label < b.label ? -1 : 1));
  if (groups.length < limit) return [...groups, last];
  const own = groups.slice(0, limit - 2);
  const rest = groups.slice(limit - 2);
  const shared: Group = {
    label: 'other packages',
    packages: new Set(rest.flatMap((group) => [...group.packages])),
    size: 0,
  };
  return [...own, shared, last];
}

function originGroups(packages: readonly PackageInfo[]): readonly Group[] {
  const groups: PackageInfo[][] = [];
  for (const info of packages) {
    const related = groups.filter((group) =>
      group.some((other) => other.origin === info.origin || replaces(info, other) || replaces(other, info)),
    );
    for (const group of related) groups.splice(groups.indexOf(group), 1);
    groups.push([...related.flat(), info]);
  }
  return groups.map((group) => ({
    label: [...new Set(group.map(({ origin }) => origin))].toSorted().join(' '),
    packages: new Set(group.map(({ name }) => name)),
    size: group.reduce((sum, { size }) => sum + size, 0),
  }));
}

function tarEntries(root: Root, wanted: (file: RootFile) => boolean): readonly TarEntry[] {
  const files = new Map<string, RootFile>();
  for (const file of root.values()) {
    if (!wanted(file)) continue;
    files.set(file.path, file);
    for (let at = file.path.lastIndexOf('/'); at > 0; at = file.path.lastIndexOf('/', at - 1)) {
      const parent = root.get(file.path.slice(0, at));
      if (parent !== undefined) files.set(parent.path, parent);
    }
  }
  return sortedFiles([...files.values()].map((file) => withinLayer(root, files, file)));
}

/** A hard link cannot lead into another layer: there it becomes a file of its own. */
function withinLayer(root: Root, layer: ReadonlyMap<string, RootFile>, file: RootFile): RootFile {
  if (file.type !== 'hardlink' || layer.has(file.link ?? '')) return file;
  const { path, from } = file;
  const target = root.get(file.link ?? '') ?? file;
  return { ...target, path, ...(from === undefined ? {} : { from }) };
}
