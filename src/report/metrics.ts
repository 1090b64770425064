import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { LedgerEvent } from '../model/event.ts';
import type { Status } from '../model/status.ts';
import type { Ledger } from '../ports/ledger.ts';
import { passages, readEventsAfter, type SequencedEvent } from './history.ts';

export interface Metrics {
  readonly contentType: string;
  /** The text that Prometheus scrapes. Event counters catch up with the ledger first. */
  scrape(status: Status): Promise<string>;
}

/** Most events that one scrape reads; the first scrape after a start counts at most these. */
const eventsPerScrape = 10_000;
/** Seconds: a minute to a month. */
const buckets = [60, 300, 900, 3600, 4 * 3600, 12 * 3600, 86_400, 3 * 86_400, 7 * 86_400, 30 * 86_400];

function seconds(from: string | undefined, to: string | undefined): number | undefined {
  if (from === undefined || to === undefined) return undefined;
  return Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000);
}

function createGauges(registry: Registry): (status: Status) => void {
  const registers = [registry];
  const gauge = <T extends string = never>(name: string, help: string, labelNames: T[] = []): Gauge<T> =>
    new Gauge<T>({ name, help, labelNames, registers });
  const packages = gauge('regrow_packages', 'Packages by where they stand', ['state']);
  const proposals = gauge('regrow_proposals_open', 'Open update pull requests');
  const vulnerabilities = gauge('regrow_vulnerabilities', 'Known vulnerabilities of published packages');
  const jobs = gauge('regrow_queue_jobs', 'Jobs by queue and state', ['queue', 'state']);
  const generation = gauge('regrow_generation', 'Newest published generation');
  const published = gauge('regrow_published_packages', 'Published packages', ['target']);
  const images = gauge('regrow_image_vulnerabilities', 'Known vulnerabilities of a published image', ['ref']);
  const failing = gauge('regrow_sources_failing', 'Upstream sources that do not answer');
  const sources = gauge('regrow_sources', 'Upstream sources that are watched');
  const due = gauge('regrow_sources_due', 'Upstream sources whose time to be asked has come');
  const asked = gauge('regrow_sources_asked', 'Upstream sources that were asked in the last hour');
  const oldestDue = gauge('regrow_sources_oldest_due_seconds', 'How long the source that waits longest has been due');
  const lastPublication = gauge('regrow_last_publication_timestamp_seconds', 'When the newest generation was made');
  const lastObservation = gauge('regrow_last_observation_timestamp_seconds', 'When an upstream last answered');
  const lastCollection = gauge(
    'regrow_last_collection_timestamp_seconds',
    'When what nothing uses was last looked for',
  );
  const unused = gauge(
    'regrow_unused_bytes',
    'Bytes of the object store that nothing uses, and that wait to be removed',
  );
  const missing = gauge(
    'regrow_missing_objects',
    'Objects that are used and not there, as the last collection saw it, 20 at most',
  );
  const signing = gauge('regrow_signing_failing', '1 while published packages cannot be signed by an identity');
  const quiet = gauge('regrow_quiet_alarm', '1 when the daemon is silent for longer than it should be');
  return (status) => {
    for (const one of [packages, jobs, published, images]) one.reset();
    for (const [state, count] of Object.entries(status.packages.states)) packages.set({ state }, count);
    for (const [queue, counts] of Object.entries(status.queues)) {
      for (const [state, count] of Object.entries(counts)) jobs.set({ queue, state }, count);
    }
    for (const { target, packages: count } of status.generation?.targets ?? []) published.set({ target }, count);
    for (const image of status.images) images.set({ ref: image.ref }, image.vulnerabilities.length);
    proposals.set(status.proposals.length);
    vulnerabilities.set(status.vulnerabilities);
    failing.set(status.sources.failing.length);
    sources.set(status.sources.total);
    due.set(status.sources.due);
    asked.set(status.sources.asked);
    oldestDue.set(seconds(status.sources.dueSince, status.at) ?? 0);
    generation.set(status.generation?.generation ?? 0);
    signing.set(status.unsigned === undefined ? 0 : 1);
    quiet.set(status.quiet.alarm ? 1 : 0);
    if (status.collection !== undefined) {
      lastCollection.set(Date.parse(status.collection.at) / 1000);
      unused.set(status.collection.waiting.bytes);
      missing.set(status.collection.missing);
    }
    if (status.generation !== undefined) lastPublication.set(Date.parse(status.generation.at) / 1000);
    if (status.quiet.lastObservation !== undefined) {
      lastObservation.set(Date.parse(status.quiet.lastObservation) / 1000);
    }
  };
}

/** A registry of its own, so that two daemons in one process do not share figures. */
export function createMetrics(ledger: Ledger): Metrics {
  const registry = new Registry();
  const setGauges = createGauges(registry);
  const registers = [registry];
  const events = new Counter({
    name: 'regrow_events_total',
    help: 'What happened, by kind',
    labelNames: ['kind'],
    registers,
  });
  const lost = new Counter({
    name: 'regrow_events_uncounted_total',
    help: 'Scrapes that came too late to count all events',
    registers,
  });
  const toProposal = new Histogram({
    name: 'regrow_detect_to_proposal_seconds',
    help: 'From a release or an advisory being seen to its pull request',
    buckets,
    registers,
  });
  const toPublication = new Histogram({
    name: 'regrow_proposal_to_publication_seconds',
    help: 'From a pull request to the published package',
    buckets,
    registers,
  });
  const whole = new Histogram({
    name: 'regrow_detect_to_publication_seconds',
    help: 'From a release or an advisory being seen to the published package',
    buckets,
    registers,
  });
  let last = 0;
  /** Events of passages that have not ended yet: their beginnings are needed when they do. */
  let unfinished: readonly LedgerEvent[] = [];

  function count(fresh: readonly SequencedEvent[]): void {
    for (const event of fresh) {
      events.inc({ kind: event.kind });
      last = Math.max(last, event.sequence);
    }
    const all = [
      ...unfinished,
      ...fresh.filter((event) => event.package !== undefined || event.kind === 'release-seen'),
    ];
    for (const passage of passages(all)) {
      const detect = seconds(passage.seen, passage.proposed);
      const publish = seconds(passage.proposed, passage.published);
      const total = seconds(passage.seen, passage.published);
      if (detect !== undefined) toProposal.observe(detect);
      if (publish !== undefined) toPublication.observe(publish);
      if (total !== undefined) whole.observe(total);
    }
    const ended = new Map<string, number>();
    all.forEach((event, index) => {
      if (event.kind === 'published' && event.package !== undefined) ended.set(event.package, index);
    });
    unfinished = all.filter((event, index) => index > (ended.get(event.package ?? '') ?? -1)).slice(-eventsPerScrape);
  }

  async function scrapeOnce(status: Status): Promise<string> {
    setGauges(status);
    const fresh = await readEventsAfter(ledger, last, eventsPerScrape);
    if (fresh.skipped) lost.inc();
    count(fresh.events);
    return registry.metrics();
  }

  let previous: Promise<unknown> = Promise.resolve();
  return {
    contentType: registry.contentType,
    scrape(status) {
      // One after the other: two that read at once would count the same events twice.
      const mine = previous.then(() => scrapeOnce(status));
      previous = mine.catch(() => undefined);
      return mine;
    },
  };
}
