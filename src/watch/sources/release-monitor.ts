import { z } from 'zod';
import { listOf, readJson } from '../document.ts';
import { identifierOf, pollDocument } from '../observe.ts';
import type { ReleaseSource } from '../source.ts';

const monitor = 'https://release-monitoring.org';

const versionsSchema = z.object({ versions: listOf(z.string()), stable_versions: listOf(z.string()) });

/**
 * A project of release-monitoring.org (Anitya, API v2), which lists newest first and says which versions are stable, but no dates.
 * Keys: `release-monitor:NUMBER`.
 */
export const releaseMonitorSource: ReleaseSource = {
  kind: 'release-monitor',
  key: ({ update }) => keyOf(update?.['release-monitor']?.identifier ?? ''),
  annotated: keyOf,

  poll(request, ports) {
    const url = `${monitor}/api/v2/versions/?project_id=${identifierOf(request.source)}`;
    return pollDocument(request, ports, { url, accept: 'application/json' }, (document) => {
      const { versions, stable_versions: stable } = readJson(document, versionsSchema);
      const isStable = new Set(stable);
      return versions.map((tag) => ({ tag, prerelease: !isStable.has(tag) }));
    });
  },
};

function keyOf(identifier: string): string | undefined {
  return /^[1-9]\d{0,9}$/.test(identifier) ? `release-monitor:${identifier}` : undefined;
}
