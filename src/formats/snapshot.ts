import type { Artifact } from '../model/artifact.ts';
import { type Arch, type Libc, targetName } from '../model/target.ts';
import type { Signer } from '../ports/signer.ts';
import type { Apk } from './apk.ts';
import { signIndex, writeIndex } from './apk-index.ts';

export interface SnapshotFile {
  /** Relative to the repository. */
  readonly path: string;
  readonly content: Uint8Array;
}

/** The packages without their signatures, which nobody who reads a snapshot has the keys of: its index answers for them. */
function unsignedBytes({ control, data }: Apk): Uint8Array {
  return Buffer.concat([control, data]);
}

/**
 * A repository of just these packages, for melange and apko to read from a folder: `ARCH/NAME-VERSION.apk`, and
 * `ARCH/APKINDEX.tar.gz` that the signer signs. Of packages that are given twice one is taken.
 */
export async function writeSnapshot(
  packages: Iterable<Apk>,
  target: { readonly arch: Arch; readonly libc: Libc },
  signer: Signer,
): Promise<readonly SnapshotFile[]> {
  const files = new Map<string, SnapshotFile>();
  const artifacts = new Map<string, Artifact>();
  for (const apk of packages) {
    const path = `${target.arch}/${apk.info.name}-${apk.info.version}.apk`;
    const content = unsignedBytes(apk);
    files.set(path, { path, content });
    const { info, checksum } = apk;
    artifacts.set(path, { info, target: targetName(target), digest: '', bytes: content.length, checksum });
  }
  const index = signIndex(await writeIndex([...artifacts.values()], 'snapshot'), signer, 0);
  return [...files.values(), { path: `${target.arch}/APKINDEX.tar.gz`, content: index }];
}
