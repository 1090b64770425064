import { releaseMonitorSource } from '../../../src/watch/sources/release-monitor.ts';
import type { SourceDescription } from '../source-suite.ts';

const address = 'https://release-monitoring.org/api/v2/versions/?project_id=1832';

/** Shape: release-monitoring.org/static/docs/api.html, api/v2/versions. */
export const description: SourceDescription = {
  source: releaseMonitorSource,
  key: 'release-monitor:1832',
  document: address,
  recorded: {
    [address]: JSON.stringify({
      latest_version: '2.13.0-rc1',
      stable_versions: ['2.12.9', '2.12.8', null, 'libxml2-2.12.7'],
      versions: ['2.13.0-rc1', '2.12.9', null, '2.12.8', 'libxml2-2.12.7'],
    }),
  },
  expected: [
    { tag: '2.13.0-rc1', prerelease: true },
    { tag: '2.12.9', prerelease: false },
    { tag: '2.12.8', prerelease: false },
    { tag: 'libxml2-2.12.7', prerelease: false },
  ],
  listing: (versions) => ({
    [address]: JSON.stringify({
      latest_version: versions.at(-1) ?? null,
      versions: versions.toReversed(),
      stable_versions: versions.toReversed(),
    }),
  }),
  annotated: { '1832': 'release-monitor:1832', '0': undefined, libxml2: undefined, '1&x=2': undefined },
  inferred: { 'https://release-monitoring.org/project/1832/': undefined },
};
