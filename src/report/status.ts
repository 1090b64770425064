import { compareApkVersions } from '../model/apk-version.ts';
import type { BuildAttempt } from '../model/build.ts';
import { packageStateSchema } from '../model/explanation.ts';
import type { Proposal } from '../model/proposal.ts';
import type { QueueJob } from '../model/queue.ts';
import type { PackageRow, ProposalRow, Status } from '../model/status.ts';
import type { Verdict } from '../model/verdict.ts';
import type { Clock } from '../ports/clock.ts';
import type { Ledger } from '../ports/ledger.ts';
import type { QueueView } from '../ports/queue.ts';
import { latestBuilds, summariseBuild } from './builds.ts';
import { totalOf } from './collection.ts';
import { type FactPorts, gatherAllFacts, type PackageFacts, readJobs } from './facts.ts';
import { type Freshness, judgeQuiet } from './freshness.ts';
import { imageRows } from './images.ts';
import { generationTargets, type RepositoryView } from './repository.ts';
import { stateOf } from './sentences.ts';
import { findBlocker, gitVersion, type ReportSettings } from './stage.ts';

export interface StatusPorts {
  readonly ledger: Ledger;
  readonly repository: RepositoryView;
  readonly queue: QueueView;
  readonly clock: Clock;
  /** When the conductor last finished a round, ISO 8601; undefined where that is not known. */
  readonly conductor: () => Promise<string | undefined>;
}

/** One row of the list of packages. */
function packageRow(facts: PackageFacts, settings: ReportSettings): PackageRow {
  const blocker = findBlocker(facts, settings);
  const git = gitVersion(facts.decision?.value);
  const decision = facts.decision?.value;
  const upstream = decision?.reason === 'up-to-date' ? decision.from.version : decision?.to?.version;
  const published = [...new Set(facts.published.map((one) => one.version))].sort(compareApkVersions);
  return {
    package: facts.package,
    state: stateOf(blocker.kind, settings),
    ...(git === undefined ? {} : { git }),
    ...(upstream === undefined ? {} : { upstream }),
    published,
    ...(facts.proposal === undefined ? {} : { proposal: facts.proposal.number }),
    vulnerabilities: facts.findings.length,
    text: blocker.text,
  };
}

/** Every package, sorted by name. */
export async function listPackages(ports: FactPorts, settings: ReportSettings): Promise<PackageRow[]> {
  return (await gatherAllFacts(ports)).map((facts) => packageRow(facts, settings));
}

function proposalRow(
  proposal: Proposal,
  builds: readonly BuildAttempt[],
  verdicts: ReadonlyMap<string, Verdict>,
  jobs: readonly QueueJob[],
): ProposalRow {
  const own = builds.filter((build) => build.purpose === proposal.number);
  return {
    number: proposal.number,
    package: proposal.package,
    version: proposal.version,
    title: proposal.title,
    url: proposal.url,
    state: proposal.state,
    openedAt: proposal.openedAt,
    fixes: proposal.fixes,
    packages: proposal.changes.map((change) => change.package),
    builds: latestBuilds(own).map((build) => summariseBuild(build, verdicts, jobs)),
  };
}

/** Proposals with their builds, newest first. */
export async function listProposals(
  ports: Pick<StatusPorts, 'ledger' | 'queue'>,
  which: 'open' | 'all' = 'open',
): Promise<ProposalRow[]> {
  const [proposals, builds, verdicts, jobs] = await Promise.all([
    ports.ledger.list('proposal'),
    ports.ledger.list('build'),
    ports.ledger.list('verdict'),
    readJobs(ports.queue),
  ]);
  const verdictOf = new Map(verdicts.map((entry) => [entry.value.buildKey, entry.value]));
  const attempts = builds.map((entry) => entry.value);
  return proposals
    .map((entry) => entry.value)
    .filter((proposal) => which === 'all' || proposal.state === 'open')
    .sort((a, b) => b.number - a.number)
    .map((proposal) => proposalRow(proposal, attempts, verdictOf, jobs));
}

async function generationOf(repository: RepositoryView): Promise<Status['generation']> {
  const current = await repository.current();
  if (current === undefined) return undefined;
  const targets = await Promise.all(
    generationTargets(current).map(async (target) => ({
      target,
      packages: (await repository.packages(current, target)).length,
    })),
  );
  return {
    generation: current.generation,
    at: current.at,
    targets,
    added: current.added,
    removed: current.removed,
  };
}

async function collectionOf(repository: RepositoryView): Promise<Status['collection']> {
  const last = await repository.collection(false);
  if (last === undefined) return undefined;
  const { at, removed, waiting, missing } = last;
  return { at, removed: totalOf(removed), waiting: totalOf(waiting), missing: missing.length };
}

/** Most failing packages that a status names. */
const failingNamed = 20;

function countStates(rows: readonly PackageRow[]): Status['packages'] {
  const counts = Object.fromEntries(packageStateSchema.options.map((state) => [state, 0]));
  for (const row of rows) counts[row.state] = (counts[row.state] ?? 0) + 1;
  const failing = rows.filter((row) => row.state === 'failing').map((row) => row.package);
  return {
    total: rows.length,
    states: counts as Status['packages']['states'],
    failing: failing.slice(0, failingNamed),
  };
}

/**
 * Everything on one page. `packages` and `freshness` are given, because who asks often keeps them for a while. A queue that
 * cannot be reached shows as no queue at all.
 */
export async function readStatus(
  ports: StatusPorts,
  settings: ReportSettings,
  packages: readonly PackageRow[],
  freshness: Freshness,
): Promise<Status> {
  const [proposals, queues, generation, catalogue, collection, findings, problems, events, conductor] =
    await Promise.all([
      listProposals(ports),
      ports.queue.counts().catch(() => ({})),
      generationOf(ports.repository),
      ports.repository.images(),
      collectionOf(ports.repository),
      ports.ledger.list('finding'),
      ports.ledger.list('problem'),
      ports.ledger.events({ limit: 1 }),
      ports.conductor().catch(() => undefined),
    ]);
  const now = ports.clock.now();
  const lastEvent = events[0]?.at;
  const unsigned = problems.find(({ value }) => value.area === 'signing');
  return {
    at: now.toISOString(),
    packages: countStates(packages),
    vulnerabilities: findings.length,
    proposals,
    queues: { ...queues },
    ...(generation === undefined ? {} : { generation }),
    images: imageRows(
      catalogue,
      findings.map((entry) => entry.value),
      problems.filter(({ value }) => value.area === 'image'),
    ),
    ...(unsigned === undefined ? {} : { unsigned: unsigned.value.message }),
    ...(collection === undefined ? {} : { collection }),
    sources: freshness.sources,
    feeds: freshness.feeds,
    quiet: judgeQuiet(
      {
        now,
        watched: freshness.sources.total + freshness.feeds.length,
        ...(lastEvent === undefined ? {} : { lastEvent }),
        ...(freshness.lastObservation === undefined ? {} : { lastObservation: freshness.lastObservation }),
        ...(generation === undefined ? {} : { lastPublication: generation.at }),
        ...(conductor === undefined ? {} : { conductor }),
      },
      settings,
    ),
  };
}
