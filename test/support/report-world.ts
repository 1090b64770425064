import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Artifact } from '../../src/model/artifact.ts';
import type { BuildAttempt, BuildFailure } from '../../src/model/build.ts';
import type { Decision } from '../../src/model/decision.ts';
import type { Proposal } from '../../src/model/proposal.ts';
import type { Generation } from '../../src/model/publication.ts';
import type { TargetName } from '../../src/model/target.ts';
import { blobKey } from '../../src/ports/objects.ts';
import type { ReportSettings } from '../../src/report/stage.ts';
import { createManualClock, type ManualClock } from '../fakes/manual-clock.ts';
import { createMemoryLedger } from '../fakes/memory-ledger.ts';
import { createMemoryObjects, type MemoryObjects } from '../fakes/memory-objects.ts';
import { createMemoryQueue, type MemoryQueue } from '../fakes/memory-queue.ts';

export const noon = '2026-11-24T12:00:00.000Z';
export const settings: ReportSettings = {
  targets: ['x86_64-gnu', 'x86_64-musl'],
  watchInterval: 30,
  reconcileInterval: 5,
  mergeGreen: true,
};

export interface World {
  readonly ledger: ReturnType<typeof createMemoryLedger>;
  readonly objects: MemoryObjects;
  readonly queue: MemoryQueue;
  readonly clock: ManualClock;
}

export function createWorld(): World {
  return {
    ledger: createMemoryLedger(),
    objects: createMemoryObjects(),
    queue: createMemoryQueue(),
    clock: createManualClock(noon),
  };
}

/** A time `minutes` before noon. */
export function before(minutes: number): string {
  return new Date(Date.parse(noon) - minutes * 60_000).toISOString();
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export async function putBlob(world: World, bytes: Uint8Array): Promise<string> {
  const digest = sha256(bytes);
  await world.objects.put(blobKey(digest), bytes);
  return digest;
}

export function decision(name: string, change: Partial<Decision> = {}): Decision {
  return {
    package: name,
    action: 'current',
    from: { version: '1.0', epoch: 0 },
    reason: 'up-to-date',
    because: 'upstream has nothing newer than 1.0',
    urgency: 'normal',
    evidence: [{ fact: 'the newest release is v1.0', source: `github:acme/${name}/releases`, at: before(10) }],
    fixes: [],
    ...change,
  };
}

export function bump(name: string, version: string, change: Partial<Decision> = {}): Decision {
  return decision(name, {
    action: 'bump',
    reason: 'newer-release',
    because: `upstream released ${version}`,
    to: { version, epoch: 0, tag: `v${version}`, source: `github:acme/${name}/releases` },
    ...change,
  });
}

export function proposal(name: string, number: number, to: string, change: Partial<Proposal> = {}): Proposal {
  return {
    package: name,
    version: to,
    number,
    url: `http://127.0.0.1:1/acme/os/pull/${number}`,
    branch: `regrow/${name}`,
    title: `${name}/${to.replace(/-r\d+$/, '')} package update`,
    state: 'open',
    head: 'a'.repeat(40),
    base: 'b'.repeat(40),
    changes: [{ package: name, path: `${name}.yaml`, from: '1.0-r0', to, why: 'newer release' }],
    fixes: [],
    labels: [],
    openedAt: before(20),
    ...change,
  };
}

export function build(name: string, version: string, change: Partial<BuildAttempt> = {}): BuildAttempt {
  const target = change.target ?? 'x86_64-gnu';
  return {
    buildKey: sha256(Buffer.from(`${name} ${version} ${target}`)),
    attempt: 1,
    package: name,
    version,
    target,
    request: 'c'.repeat(64),
    state: 'queued',
    purpose: 'main',
    why: 'a newer release',
    urgency: 'normal',
    queuedAt: before(15),
    ...change,
  };
}

export function finished(attempt: BuildAttempt, failure?: BuildFailure): BuildAttempt {
  const outcome = failure === undefined ? 'passed' : 'failed';
  return {
    ...attempt,
    state: outcome,
    finishedAt: before(5),
    result: {
      schema: 1,
      buildKey: attempt.buildKey,
      request: attempt.request,
      outcome,
      artifacts: [],
      tests: [],
      ...(failure === undefined ? {} : { failure }),
      log: `staging/${attempt.buildKey}/log`,
      milliseconds: 4200,
      builder: 'one',
    },
  };
}

export async function putBuild(world: World, attempt: BuildAttempt): Promise<void> {
  const key = `${attempt.buildKey}.${attempt.attempt}`;
  await world.ledger.put('build', key, attempt, attempt.queuedAt, attempt.package);
}

export async function putVerdict(world: World, attempt: BuildAttempt, failing?: string): Promise<void> {
  const gates = [
    { gate: 'well-formed', outcome: 'passed' as const, because: 'the package reads back' },
    ...(failing === undefined ? [] : [{ gate: 'tests', outcome: 'failed' as const, because: failing }]),
  ];
  const verdict = {
    buildKey: attempt.buildKey,
    package: attempt.package,
    version: attempt.version,
    gateSet: 1,
    passed: failing === undefined,
    gates,
    at: before(4),
  };
  await world.ledger.put('verdict', attempt.buildKey, verdict, before(4), attempt.package);
}

async function artifact(
  world: World,
  target: TargetName,
  origin: string,
  name: string,
  version: string,
): Promise<Artifact> {
  const bytes = Buffer.from(`signed package ${name} ${version} ${target} `.repeat(50));
  const info = {
    name,
    version,
    arch: 'x86_64',
    size: 1,
    origin,
    description: name,
    url: '',
    commit: '',
    buildDate: 0,
    licenses: [],
    depends: [],
    provides: [],
    replaces: [],
    triggers: [],
    datahash: sha256(Buffer.from(`data of ${name}`)),
  };
  return { info, target, digest: await putBlob(world, bytes), bytes: bytes.length, checksum: 'Q1abc=' };
}

/** Publishes a generation. `packages`: by origin, its version; each has a package of its name and a `-dev`. */
export async function publish(
  world: World,
  number: number,
  targets: readonly TargetName[],
  packages: Readonly<Record<string, string>>,
): Promise<Generation> {
  const lists: Generation['targets'] = {};
  for (const target of targets) {
    const artifacts: Artifact[] = [];
    for (const [origin, version] of Object.entries(packages)) {
      artifacts.push(await artifact(world, target, origin, origin, version));
      artifacts.push(await artifact(world, target, origin, `${origin}-dev`, version));
    }
    lists[target] = {
      index: await putBlob(world, gzipSync(`index ${number} of ${target}`)),
      packages: await putBlob(world, Buffer.from(JSON.stringify(artifacts))),
    };
  }
  const generation: Generation = {
    schema: 1,
    generation: number,
    ...(number === 0 ? {} : { parent: number - 1 }),
    token: 1,
    at: before(3),
    targets: lists,
    added: Object.entries(packages).map(([name, version]) => `${name}-${version} ${targets[0]}`),
    removed: [],
  };
  const bytes = Buffer.from(JSON.stringify(generation));
  await world.objects.put(`repository/generations/${number}.json`, bytes);
  await world.objects.put('repository/current', bytes);
  await world.ledger.put('publication', String(number), generation, generation.at);
  return generation;
}
