import type { Artifact } from '../model/artifact.ts';
import type { Objects } from '../ports/objects.ts';

/** What a name, version and target was published with, `repository/published/TARGET/NAME/VERSION`: its checksum, for good. */
export const publishedPrefix = 'repository/published/';

function recordKey({ info, target }: Artifact): string {
  return `${publishedPrefix}${target}/${info.name}/${info.version}`;
}

/**
 * Remembers what was published, so that none of it ever comes back with other content once it has left the index: machines
 * and images know a version by its checksum. Only for what is, or was, in a generation. Again is nothing.
 */
export async function recordPublished(objects: Objects, artifacts: readonly Artifact[]): Promise<void> {
  for (const artifact of artifacts) {
    const key = recordKey(artifact);
    if (!(await objects.has(key))) await objects.put(key, Buffer.from(`${artifact.checksum}\n`, 'utf8'));
  }
}

/** The checksum that a name, version and target was once published with; undefined when it never was. */
export async function publishedChecksum(objects: Objects, artifact: Artifact): Promise<string | undefined> {
  const record = await objects.get(recordKey(artifact));
  return record === undefined ? undefined : Buffer.from(record.bytes).toString('utf8').trim();
}
