import type { Apk } from '../../formats/apk.ts';
import { writeSnapshot } from '../../formats/snapshot.ts';
import type { BuildRequest } from '../../model/build.ts';
import { parseTarget } from '../../model/target.ts';
import type { Signer } from '../../ports/signer.ts';
import type { Workspace } from '../../ports/workspace.ts';

export interface SnapshotFacts {
  readonly packages: readonly Apk[];
  readonly request: Pick<BuildRequest, 'target'>;
  readonly key: Signer;
}

/** Puts a snapshot of packages into a folder, for `--repository-append`. */
export async function writeRepository(
  workspace: Workspace,
  directory: string,
  { packages, request, key }: SnapshotFacts,
): Promise<void> {
  for (const { path, content } of await writeSnapshot(packages, parseTarget(request.target), key)) {
    await workspace.write(`${directory}/${path}`, content);
  }
}
