import { assembleApk } from '../../src/formats/apk-assembly.ts';
import type { ScriptletName } from '../../src/formats/package-info.ts';
import type { TarEntry } from '../../src/formats/tar.ts';
import type { PackageInfo } from '../../src/model/artifact.ts';
import { artifactOf } from './packages.ts';

/** A file's content and mode, `-> target` of a symlink, `=> path` of a hard link, or a directory's mode. */
export type TestFile =
  | string
  | { readonly text: string | Uint8Array; readonly mode: number }
  | { readonly directory: number };

/** A real, unsigned package file; directories on the way to each file are added. */
export async function apkFile(
  id: string,
  files: Readonly<Record<string, TestFile>>,
  more: Partial<PackageInfo> = {},
  scriptlets: Partial<Record<ScriptletName, string>> = {},
): Promise<Uint8Array> {
  const [, name = '', version = ''] = /^(.*)-([^-]+-r\d+)$/.exec(id) ?? [];
  const { info } = artifactOf({ name, version, ...more });
  const entries = new Map<string, TarEntry>();
  for (const [path, file] of Object.entries(files)) {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const parent = path.slice(0, slash);
      if (!entries.has(parent)) entries.set(parent, { path: parent, type: 'directory', mode: 0o755 });
    }
    entries.set(path, tarEntry(path, file));
  }
  const parts = { info, configuration: '', scriptlets, entries: entries.values(), sourceDateEpoch: 0 };
  return (await assembleApk(parts)).bytes;
}

function tarEntry(path: string, file: TestFile): TarEntry {
  if (typeof file === 'object' && 'directory' in file) return { path, type: 'directory', mode: file.directory };
  const { text, mode } = typeof file === 'string' ? { text: file, mode: 0o644 } : file;
  if (typeof text !== 'string') return { path, type: 'file', mode, content: text };
  if (text.startsWith('-> ')) return { path, type: 'symlink', mode: 0o777, link: text.slice(3) };
  if (text.startsWith('=> ')) return { path, type: 'hardlink', mode, link: text.slice(3) };
  return { path, type: 'file', mode, content: Buffer.from(text) };
}
