import { type PackagedTree, type PackageTree, type PackagingInput, packageTree } from '../../src/build/packaging.ts';
import type { ResolvedPackage } from '../../src/model/recipe/resolved.ts';
import type { TreeEntry } from '../../src/ports/workspace.ts';

/** What a tree in memory holds, by path: content, `{ link }`, `{ hard }`, or `{ directory }`. */
export type TreeNode =
  | string
  | Uint8Array
  | { readonly content: string | Uint8Array; readonly mode: number }
  | { readonly link: string }
  | { readonly hard: string }
  | { readonly directory: number }
  | { readonly other: true };

function entryOf(path: string, node: TreeNode): TreeEntry {
  if (typeof node === 'string') return { path, type: 'file', mode: 0o644, size: Buffer.byteLength(node) };
  if (node instanceof Uint8Array) return { path, type: 'file', mode: 0o644, size: node.length };
  if ('content' in node) return { path, type: 'file', mode: node.mode, size: Buffer.from(node.content).length };
  if ('link' in node) return { path, type: 'symlink', mode: 0o777, size: 0, link: node.link };
  if ('hard' in node) return { path, type: 'hardlink', mode: 0o755, size: 0, link: node.hard };
  if ('directory' in node) return { path, type: 'directory', mode: node.directory, size: 0 };
  return { path, type: 'other', mode: 0o644, size: 0 };
}

/** A tree as a workspace would walk it, with the directories above each path. */
export function treeOf(nodes: Readonly<Record<string, TreeNode>>): PackageTree {
  const all = new Map(Object.entries(nodes));
  for (const path of Object.keys(nodes)) {
    const parts = path.split('/');
    for (let i = 1; i < parts.length; i += 1) {
      const directory = parts.slice(0, i).join('/');
      if (!all.has(directory)) all.set(directory, { directory: 0o755 });
    }
  }
  const entries = [...all].map(([path, node]) => entryOf(path, node)).toSorted((a, b) => (a.path < b.path ? -1 : 1));
  return {
    entries,
    async read(path) {
      const node = all.get(path);
      if (typeof node === 'string' || node instanceof Uint8Array) return Buffer.from(node);
      if (node !== undefined && typeof node === 'object' && 'content' in node) return Buffer.from(node.content);
      throw new Error(`${path} is no file`);
    },
  };
}

export function recipeOf(name: string, changes: Partial<ResolvedPackage> = {}): ResolvedPackage {
  return {
    name,
    description: `the package ${name}`,
    url: `https://example.org/${name}`,
    commit: '',
    licenses: ['MIT'],
    depends: [],
    provides: [],
    replaces: [],
    options: { noProvides: false, noDepends: false, noCommands: false, noVersionedShlibDeps: false },
    scriptlets: {
      'pre-install': undefined,
      'post-install': undefined,
      'pre-deinstall': undefined,
      'post-deinstall': undefined,
      'pre-upgrade': undefined,
      'post-upgrade': undefined,
    },
    steps: [],
    ...changes,
  };
}

export interface SamplePackage {
  readonly name: string;
  readonly version?: string;
  readonly nodes?: Readonly<Record<string, TreeNode>>;
  readonly recipe?: Partial<ResolvedPackage>;
  readonly input?: Partial<PackagingInput>;
}

/** A package made by the real packager from a tree in memory. */
export function makePackage(sample: SamplePackage): Promise<PackagedTree> {
  const { name, version = '1.0.0-r0', nodes = {}, recipe = {}, input = {} } = sample;
  return packageTree({
    package: recipeOf(name, recipe),
    tree: treeOf(nodes),
    siblings: [],
    origin: name,
    fullVersion: version,
    target: 'x86_64-gnu',
    commit: 'c0ffee',
    sourceDateEpoch: 1_700_000_000,
    configuration: `package:\n  name: ${name}\n`,
    provenance: {
      distribution: { namespace: 'box', name: 'Box Linux' },
      recipe: { path: `${name}.yaml`, repository: 'https://example.org/recipes', commit: 'c0ffee' },
      sources: [],
      tools: ['regrow-host 1'],
    },
    ...input,
  });
}
