import type { BuildRequest } from '../model/build.ts';
import type { Workspace } from '../ports/workspace.ts';

/** Files that lie beside the recipe, where the steps begin. */
export async function writeFiles(workspace: Workspace, directory: string, request: BuildRequest): Promise<void> {
  await workspace.makeDirectory(directory);
  const prefix = `${request.package}/`;
  for (const [path, content] of Object.entries(request.files)) {
    const relative = path.startsWith(prefix) ? path.slice(prefix.length) : path;
    const bytes = Buffer.from(content, 'base64');
    const script = bytes.length > 2 && bytes[0] === 0x23 && bytes[1] === 0x21;
    await workspace.write(`${directory}/${relative}`, bytes, script ? 0o755 : 0o644);
  }
  await workspace.setTimes(directory, request.recorded.sourceDateEpoch);
}
