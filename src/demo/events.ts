import { compareApkVersions } from '../model/apk-version.ts';
import type { Artifact } from '../model/artifact.ts';
import type { ImagePublication } from '../model/publication.ts';
import type { TargetName } from '../model/target.ts';
import { type Box, boxEcosystem, boxOwner } from './box.ts';
import { imageNames } from './distribution/files.ts';
import { recipes } from './distribution/recipes/recipes.ts';
import { projects } from './upstream/projects.ts';

/** What the daemon under demonstration has published. */
export interface Published {
  readonly targets: ReadonlyMap<TargetName, readonly Artifact[]>;
  readonly images: readonly ImagePublication[];
}

/** One thing that happens in the demo. */
export interface DemoEvent {
  readonly id: 'release' | 'broken-release' | 'soname-change' | 'advisory';
  /** What happens, one sentence for the terminal. */
  readonly happens: string;
  /** What is to be seen when the daemon is done with it, one sentence. */
  readonly expects: string;
  /** For the summary: how many releases and advisories it is. */
  readonly counts: { readonly releases: number; readonly advisories: number };
  apply(box: Box): Promise<void>;
  /** Whether everything that it expects has come to be. */
  settled(box: Box, published: Published): boolean;
}

/** The id of the one advisory of the box. */
export const advisoryId = 'BOX-2026-0001';

/** Whether a package's newest version is this one on every target. */
function newestIs(published: Published, name: string, version: string): boolean {
  return published.targets.size > 0 && [...published.targets.values()].every((list) => newest(list, name) === version);
}

function newest(list: readonly Artifact[], name: string): string | undefined {
  const versions = list.filter(({ info }) => info.name === name).map(({ info }) => info.version);
  return versions.sort(compareApkVersions).at(-1);
}

/** Whether an image printed this on every target, under whichever tag, and has no known vulnerability. */
function imageSays(published: Published, name: string, text: string): boolean {
  const images = published.images.filter(({ ref }) => ref.startsWith(`${name}:`));
  const platforms = images.flatMap((image) => image.platforms);
  return (
    images.every((image) => image.vulnerabilities.length === 0) &&
    platforms.length === published.targets.size &&
    platforms.every(({ output }) => output.includes(text))
  );
}

/** Whether the pull request with this title is open, with a red status on its head and the log in a comment. */
function failedOpenly(box: Box, title: string, log: string): boolean {
  const pull = box.os.pulls().find((pull) => pull.title === title);
  if (pull === undefined || pull.state !== 'open') return false;
  const red = box.os.statuses(pull.head).at(-1)?.state;
  const said = [pull.body ?? '', ...box.os.comments(pull.number).map(({ body }) => body)];
  return (red === 'failure' || red === 'error') && said.some((text) => text.includes(log));
}

/** Whether the box as it is at the beginning is published: every recipe's packages on every target, and both images. */
export function startSettled(published: Published): boolean {
  const names = recipes.map(({ name }) => name);
  const complete = [...published.targets.values()].every((list) =>
    names.every((name) => newest(list, name) !== undefined),
  );
  const versions = projects.every(({ name, releases }) => newestIs(published, name, `${releases[0].version}-r0`));
  return (
    complete &&
    versions &&
    imageNames.every((name) => imageSays(published, name, '')) &&
    imageSays(published, 'count', 'count 1.2.0 with libtally 1.4.0')
  );
}

export const events: readonly DemoEvent[] = [
  {
    id: 'release',
    happens: 'greet 1.1.0 is released upstream.',
    expects: 'greet 1.1.0 is proposed, built, tested, merged and published.',
    counts: { releases: 1, advisories: 0 },
    apply: (box) => box.release('greet', '1.1.0'),
    settled: (_box, published) => newestIs(published, 'greet', '1.1.0-r0'),
  },
  {
    id: 'broken-release',
    happens: 'count 1.3.0 is released upstream, and does not compile.',
    expects: 'Its pull request is red and shows the end of the log; count 1.2.0 stays published.',
    counts: { releases: 1, advisories: 0 },
    apply: (box) => box.release('count', '1.3.0'),
    settled: (box, published) =>
      failedOpenly(box, 'count/1.3.0 package update', 'tally/histogram.h') && newestIs(published, 'count', '1.2.0-r0'),
  },
  {
    id: 'soname-change',
    happens: 'libtally 2.0.0 is released upstream: libtally.so.1 is now libtally.so.2.',
    expects:
      'Its pull request also rebuilds count and greet against it; all are published at once, and the image with them.',
    counts: { releases: 1, advisories: 0 },
    apply: (box) => box.release('libtally', '2.0.0'),
    settled: (_box, published) =>
      newestIs(published, 'libtally', '2.0.0-r0') &&
      newestIs(published, 'count', '1.2.0-r1') &&
      newestIs(published, 'greet', '1.1.0-r1') &&
      imageSays(published, 'count', 'count 1.2.0 with libtally 2.0.0'),
  },
  {
    id: 'advisory',
    happens: `${advisoryId}: a long name overflows a buffer of beacon; beacon 1.2.1 is released upstream and fixes it.`,
    expects: 'beacon 1.2.1 goes first because it fixes a vulnerability; its image is clean afterwards.',
    counts: { releases: 1, advisories: 1 },
    async apply(box) {
      const beacon = box.upstream('beacon');
      await box.release('beacon', '1.2.1');
      const repo = `https://github.com/${boxOwner}/beacon`;
      const commit = async (tag: string) => (await beacon.resolve(`refs/tags/${tag}`)) ?? '';
      box.osv.publish(boxEcosystem, {
        id: advisoryId,
        aliases: [],
        summary: 'A name of 32 bytes or more overflows a buffer',
        details: 'beacon copies its argument into a buffer of 32 bytes without looking at its length.',
        affected: [
          {
            package: { ecosystem: boxEcosystem, name: repo, purl: `pkg:github/${boxOwner}/beacon` },
            ranges: [
              { type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '1.2.1' }] },
              { type: 'GIT', repo, events: [{ introduced: '0' }, { fixed: await commit('beacon_1_2_1') }] },
            ],
            versions: ['beacon_1_2_0'],
          },
        ],
        references: [{ type: 'FIX', url: `${repo}/releases/tag/beacon_1_2_1` }],
      });
    },
    settled: (_box, published) =>
      newestIs(published, 'beacon', '1.2.1-r0') && imageSays(published, 'beacon', 'beacon 1.2.1 is lit at the harbour'),
  },
];
