import { compareApkVersions } from '../model/apk-version.ts';
import type { Artifact } from '../model/artifact.ts';
import type { BuildAttempt } from '../model/build.ts';
import type { Decision } from '../model/decision.ts';
import type { Finding } from '../model/finding.ts';
import type { ReleaseObservation, WatchFailure } from '../model/observation.ts';
import type { Problem, Wait } from '../model/plan.ts';
import type { Proposal } from '../model/proposal.ts';
import type { QueueJob } from '../model/queue.ts';
import type { TargetName } from '../model/target.ts';
import type { Verdict } from '../model/verdict.ts';
import type { WatchRow } from '../model/watch.ts';
import type { Ledger, LedgerEntry } from '../ports/ledger.ts';
import type { QueueView } from '../ports/queue.ts';
import { generationTargets, type RepositoryView } from './repository.ts';

/** What one target has published of one origin. */
export interface PublishedOrigin {
  readonly target: TargetName;
  readonly version: string;
  /** Names of its packages. */
  readonly packages: readonly string[];
  /** Those of them that have a signed account of where they came from. */
  readonly attested: readonly string[];
}

/** A value of the ledger, with when it became what it is. */
export interface Standing<T> {
  readonly value: T;
  readonly at: string;
}

/** Everything that is known about one package, as it stands in the ledger, the object store and the queue. */
export interface PackageFacts {
  readonly package: string;
  readonly decision?: Standing<Decision>;
  /** The open proposal that changes it; its own before one that only raises its epoch. */
  readonly proposal?: Proposal;
  /** Its builds, and those of the other packages of the open proposal. */
  readonly builds: readonly BuildAttempt[];
  /** By build key. */
  readonly verdicts: ReadonlyMap<string, Verdict>;
  readonly findings: readonly Finding[];
  readonly published: readonly PublishedOrigin[];
  /** The last answer of the place it is watched at, and the last failure to get one. */
  readonly release?: ReleaseObservation;
  readonly failure?: WatchFailure;
  /** How often that place is asked, and when it last was, whatever it said: an unchanged answer leaves `release` as it is. */
  readonly watch?: WatchRow;
  /** Builds that should be, and what they wait for. */
  readonly waits: readonly Standing<Wait>[];
  /** What is wrong with it that a person can mend. */
  readonly problems: readonly Standing<Problem>[];
  readonly jobs: readonly QueueJob[];
}

export interface FactPorts {
  readonly ledger: Ledger;
  readonly repository: RepositoryView;
  readonly queue: Pick<QueueView, 'list'>;
}

/** Most jobs that a view looks through for a queue position. */
const jobsRead = 2000;

function values<T>(entries: readonly { readonly value: T }[]): T[] {
  return entries.map((entry) => entry.value);
}

/** Jobs, or none where the queue cannot be asked: what the ledger knows is worth an answer without it. */
export async function readJobs(queue: Pick<QueueView, 'list'>): Promise<readonly QueueJob[]> {
  try {
    return await queue.list(jobsRead);
  } catch {
    return [];
  }
}

/** Groups a target's packages by origin; of several versions that are kept, the newest counts. */
function originsOf(target: TargetName, packages: readonly Artifact[]): Map<string, PublishedOrigin> {
  const origins = new Map<string, PublishedOrigin>();
  for (const { info, provenance } of packages) {
    const attested = provenance === undefined ? [] : [info.name];
    const known = origins.get(info.origin);
    const order = known === undefined ? 1 : compareApkVersions(info.version, known.version);
    if (known === undefined || order > 0) {
      origins.set(info.origin, { target, version: info.version, packages: [info.name], attested });
    } else if (order === 0) {
      origins.set(info.origin, {
        ...known,
        packages: [...known.packages, info.name],
        attested: [...known.attested, ...attested],
      });
    }
  }
  return origins;
}

/** What is published, by target, then origin. */
export async function readPublished(
  repository: RepositoryView,
): Promise<readonly ReadonlyMap<string, PublishedOrigin>[]> {
  const generation = await repository.current();
  if (generation === undefined) return [];
  return Promise.all(
    generationTargets(generation).map(async (target) =>
      originsOf(target, await repository.packages(generation, target)),
    ),
  );
}

/** The open proposal that changes a package. */
function openProposal(name: string, proposals: readonly Proposal[]): Proposal | undefined {
  const open = proposals.filter((one) => one.state === 'open');
  return (
    open.find((one) => one.package === name) ??
    open.find((one) => one.changes.some((change) => change.package === name))
  );
}

/** Keys of the sources that a decision names: where its target comes from, and what its evidence quotes. */
export function sourcesOf(decision: Decision | undefined): string[] {
  if (decision === undefined) return [];
  const named = [decision.to?.source, ...decision.evidence.map((one) => one.source)];
  return [...new Set(named.filter((one): one is string => one !== undefined && one !== ''))];
}

async function readSource(
  ledger: Ledger,
  decision: Decision | undefined,
): Promise<Pick<PackageFacts, 'release' | 'failure' | 'watch'>> {
  for (const source of sourcesOf(decision)) {
    const [watch, release, failure] = await Promise.all([
      ledger.get('watch', source),
      ledger.get('observation', `release/${source}`),
      ledger.get('observation', `failure/${source}`),
    ]);
    const answered = release?.value.kind === 'release' ? { release: release.value } : {};
    const failed = failure?.value.kind === 'failure' ? { failure: failure.value } : {};
    const watched = watch === undefined ? {} : { watch: watch.value };
    if (watch !== undefined || release !== undefined || failure !== undefined) {
      return { ...answered, ...failed, ...watched };
    }
  }
  return {};
}

async function readVerdicts(ledger: Ledger, builds: readonly BuildAttempt[]): Promise<Map<string, Verdict>> {
  const verdicts = new Map<string, Verdict>();
  for (const key of new Set(builds.map((build) => build.buildKey))) {
    const entry = await ledger.get('verdict', key);
    if (entry !== undefined) verdicts.set(key, entry.value);
  }
  return verdicts;
}

/** Without those of images, which often have the name of a package, and those that are of no package by itself. */
function ofPackages(problems: readonly LedgerEntry<'problem'>[]): readonly LedgerEntry<'problem'>[] {
  return problems.filter(({ value }) => value.area !== 'image' && value.area !== 'signing');
}

/** The facts of one package; undefined where nothing knows it. */
export async function gatherFacts(ports: FactPorts, name: string): Promise<PackageFacts | undefined> {
  const { ledger } = ports;
  const [decision, proposals, findings, waits, problems, published, jobs] = await Promise.all([
    ledger.get('decision', name),
    ledger.list('proposal'),
    ledger.list('finding', name),
    ledger.list('wait', name),
    ledger.list('problem', name).then(ofPackages),
    readPublished(ports.repository),
    readJobs(ports.queue),
  ]);
  const proposal = openProposal(name, values(proposals));
  const concerned = new Set([name, ...(proposal?.changes.map((change) => change.package) ?? [])]);
  const builds = (await Promise.all([...concerned].map((one) => ledger.list('build', one)))).flatMap(values);
  const here = published.flatMap((origins) => origins.get(name) ?? []);
  const known = here.length + builds.length + waits.length + problems.length;
  if (decision === undefined && proposal === undefined && known === 0) return undefined;
  return {
    package: name,
    ...(decision === undefined ? {} : { decision }),
    ...(proposal === undefined ? {} : { proposal }),
    builds,
    verdicts: await readVerdicts(ledger, builds),
    findings: values(findings),
    published: here,
    ...(await readSource(ledger, decision?.value)),
    waits,
    problems,
    jobs,
  };
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string | undefined): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

/** The facts of every package, sorted by name, each row of the ledger read once. Sources are left out: lists do not show them. */
export async function gatherAllFacts(ports: FactPorts): Promise<readonly PackageFacts[]> {
  const { ledger } = ports;
  const [decisions, proposalRows, buildRows, verdictRows, findingRows, waits, problems, published, jobs] =
    await Promise.all([
      ledger.list('decision'),
      ledger.list('proposal'),
      ledger.list('build'),
      ledger.list('verdict'),
      ledger.list('finding'),
      ledger.list('wait'),
      ledger.list('problem').then(ofPackages),
      readPublished(ports.repository),
      readJobs(ports.queue),
    ]);
  const decisionOf = new Map<string, LedgerEntry<'decision'>>(decisions.map((entry) => [entry.value.package, entry]));
  const open = values(proposalRows).filter((one) => one.state === 'open');
  const buildsOf = groupBy(values(buildRows), (one) => one.package);
  const findingsOf = groupBy(values(findingRows), (one) => one.package);
  const waitsOf = groupBy(waits, (one) => one.value.package);
  const problemsOf = groupBy(problems, (one) => one.package);
  const verdicts = new Map(values(verdictRows).map((one) => [one.buildKey, one]));
  const names = new Set([
    ...decisionOf.keys(),
    ...published.flatMap((origins) => [...origins.keys()]),
    ...problemsOf.keys(),
  ]);
  return [...names].sort().map((name): PackageFacts => {
    const decision = decisionOf.get(name);
    const proposal = openProposal(name, open);
    const concerned = new Set([name, ...(proposal?.changes.map((change) => change.package) ?? [])]);
    return {
      package: name,
      ...(decision === undefined ? {} : { decision }),
      ...(proposal === undefined ? {} : { proposal }),
      builds: [...concerned].flatMap((one) => buildsOf.get(one) ?? []),
      verdicts,
      findings: findingsOf.get(name) ?? [],
      published: published.flatMap((origins) => origins.get(name) ?? []),
      waits: waitsOf.get(name) ?? [],
      problems: problemsOf.get(name) ?? [],
      jobs,
    };
  });
}
