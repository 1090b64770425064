import type { Ledger } from '../ports/ledger.ts';
import { generationTargets, type RepositoryView } from '../report/repository.ts';
import type { Box } from './box.ts';
import type { DemoEvent } from './events.ts';

/** The last line of `regrow demo --once --json`. */
export interface DemoSummary {
  readonly releases: number;
  readonly advisories: number;
  readonly proposals: number;
  readonly merged: number;
  readonly builds: { readonly passed: number; readonly failed: number };
  readonly generation: number;
  /** Packages in the newest generation, over all targets. */
  readonly packages: number;
  readonly images: readonly {
    readonly ref: string;
    readonly digest: string;
    readonly vulnerabilities: number;
    readonly output: string;
  }[];
  readonly seconds: number;
}

export interface SummaryPorts {
  readonly ledger: Ledger;
  readonly view: RepositoryView;
  readonly box: Box;
  readonly events: readonly DemoEvent[];
}

/** Counts what happened, from the forge, the ledger and the repository. */
export async function summarise({ ledger, view, box, events }: SummaryPorts): Promise<Omit<DemoSummary, 'seconds'>> {
  const count = (of: (event: DemoEvent) => number) => events.reduce((sum, event) => sum + of(event), 0);
  const pulls = box.os.pulls();
  const builds = (await ledger.list('build')).map((entry) => entry.value.state);
  const generation = await view.current();
  let packages = 0;
  for (const target of generation === undefined ? [] : generationTargets(generation)) {
    if (generation !== undefined) packages += (await view.packages(generation, target)).length;
  }
  const { images } = await view.images();
  return {
    releases: count((event) => event.counts.releases),
    advisories: count((event) => event.counts.advisories),
    proposals: pulls.length,
    merged: pulls.filter((pull) => pull.mergedAt !== null).length,
    builds: {
      passed: builds.filter((state) => state === 'passed').length,
      failed: builds.filter((state) => state === 'failed').length,
    },
    generation: generation?.generation ?? 0,
    packages,
    images: images.map((image) => ({
      ref: image.ref,
      digest: image.digest,
      vulnerabilities: image.vulnerabilities.length,
      output: image.platforms.map((platform) => platform.output.trim()).join('\n'),
    })),
  };
}
