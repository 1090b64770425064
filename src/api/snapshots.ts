import type { PackageRow, Status } from '../model/status.ts';
import { type Freshness, readFreshness } from '../report/freshness.ts';
import type { RepositoryView } from '../report/repository.ts';
import { listPackages, readStatus } from '../report/status.ts';
import type { ApiPorts } from './ports.ts';

/** The views that read the whole ledger, kept for a while. */
export interface Snapshots {
  status(): Promise<Status>;
  packages(): Promise<readonly PackageRow[]>;
}

/** Milliseconds that a view is kept at least. */
const shortest = 250;
/** A view is made again only after this many times what it cost to make: one busy page may take a fiftieth of a core. */
const costFactor = 50;

/** Runs `make` at most once at a time, and gives its last value until it is too old for what it cost. */
export function createSnapshot<T>(
  make: () => Promise<T>,
  now: () => number = () => performance.now(),
): () => Promise<T> {
  let running: Promise<T> | undefined;
  let freshUntil = 0;
  return () => {
    if (running !== undefined && now() < freshUntil) return running;
    const started = now();
    freshUntil = Number.POSITIVE_INFINITY;
    const made = make();
    running = made;
    made.then(
      () => {
        const ended = now();
        freshUntil = ended + Math.max(shortest, (ended - started) * costFactor);
      },
      () => {
        running = undefined;
      },
    );
    return made;
  };
}

export function createSnapshots(ports: ApiPorts, repository: RepositoryView): Snapshots {
  const { ledger, queue, clock, settings, conductor } = ports;
  const freshness = createSnapshot<Freshness>(() => readFreshness(ledger, clock.now()));
  const packages = createSnapshot(() => listPackages({ ledger, repository, queue }, settings));
  const status = createSnapshot(async () =>
    readStatus({ ledger, repository, queue, clock, conductor }, settings, await packages(), await freshness()),
  );
  return { status, packages };
}
