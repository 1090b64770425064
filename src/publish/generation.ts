import { RegrowError } from '../errors.ts';
import type { Artifact } from '../model/artifact.ts';
import type { Generation } from '../model/publication.ts';
import type { TargetName } from '../model/target.ts';
import type { Clock } from '../ports/clock.ts';
import type { Objects } from '../ports/objects.ts';
import type { Signer } from '../ports/signer.ts';
import { publishedChecksum, recordPublished } from './former.ts';
import { nextPackages, putBlob, type Removal, writeListing } from './listing.ts';
import { type CurrentGeneration, currentKey, encodeJson, generationKey, readCurrent } from './manifest.ts';
import { createRepositoryMemory, type RepositoryMemory } from './memory.ts';
import { pruneGenerations } from './prune.ts';
import { checkStaged, signStaged } from './signing.ts';

export interface PublishPorts {
  readonly objects: Objects;
  readonly signer: Signer;
  readonly clock: Clock;
  /** Of the generations that this process wrote: the next one costs what it changes. None: everything is read again. */
  readonly memory?: RepositoryMemory;
}

export interface Addition {
  /** Where the unsigned package lies, `staging/BUILDKEY/NAME-VERSION.apk`. */
  readonly key: string;
  /** As it was verified: digest and size of the unsigned file. */
  readonly artifact: Artifact;
}

export interface PublishTransaction {
  readonly add: readonly Addition[];
  readonly remove?: readonly Removal[];
  /** Fencing token of the publisher; one lower than the current generation's is refused. */
  readonly token: number;
  /** ISO 8601; the clock's time where it is left out. */
  readonly at?: string;
}

export interface PublishOptions {
  /** Generations kept besides the current one. Default 20. */
  readonly keepGenerations?: number;
  /** Versions of each package kept in the index, newest first. Default: all. */
  readonly keepVersions?: number;
  /** DESCRIPTION of the index. */
  readonly description?: string;
}

const defaultKeep = 20;
const defaultDescription = 'regrow';

/** An addition that can never be published as it is, and why: package.conflict or package.malformed. */
export interface RefusedAddition {
  readonly addition: Addition;
  readonly error: RegrowError;
}

/** Of what is left when some additions are refused, that which can be published without them. */
export type Remaining = (
  published: ReadonlyMap<TargetName, readonly Artifact[]>,
  left: readonly Artifact[],
  refused: readonly RefusedAddition[],
) => readonly Artifact[];

type State = Map<TargetName, readonly Artifact[]>;

function label({ info, target }: Artifact): string {
  return `${info.name}-${info.version} ${target}`;
}

function isSame(a: Artifact, name: string, version: string): boolean {
  return a.info.name === name && a.info.version === version;
}

async function readState(
  objects: Objects,
  memory: RepositoryMemory,
  current: CurrentGeneration | undefined,
): Promise<State> {
  const state: State = new Map();
  for (const name of Object.keys(current?.generation.targets ?? {})) {
    const target = name as TargetName;
    if (current !== undefined) state.set(target, await memory.packages(objects, current.generation, target));
  }
  return state;
}

function checkToken(token: number, current: CurrentGeneration | undefined): void {
  const newest = current?.generation.token ?? 0;
  if (token >= newest) return;
  throw new RegrowError('repository.moved', `a publisher with token ${newest} took over from this one (${token})`, {
    remedy: 'nothing to do: this publisher stops, the newer one goes on',
  });
}

/**
 * What is to be added and is not there yet. The same name, version and content is there already: nothing to do. The same
 * name and version with other content: package.conflict, as machines that have the index would refuse the file; also when it
 * has left the index since.
 */
async function missing(
  objects: Objects,
  add: readonly Addition[],
  state: State,
  refused: RefusedAddition[],
): Promise<readonly Addition[]> {
  const wanted = new Map<string, Addition>();
  const conflict = (artifact: Artifact, known: string, when: string): RegrowError =>
    new RegrowError(
      'package.conflict',
      `${label(artifact)} ${when} published with other content (${known}, not ${artifact.checksum})`,
      { package: artifact.info.name, remedy: 'raise the epoch of the recipe: a published version never changes' },
    );
  for (const addition of add) {
    const { artifact } = addition;
    const { name, version } = artifact.info;
    const published = state.get(artifact.target)?.find((other) => isSame(other, name, version));
    const present = published ?? wanted.get(label(artifact))?.artifact;
    const known = present?.checksum ?? (await publishedChecksum(objects, artifact));
    if (known !== undefined && known !== artifact.checksum) {
      refused.push({ addition, error: conflict(artifact, known, present === undefined ? 'was once' : 'is') });
      continue;
    }
    if (published === undefined) wanted.set(label(artifact), addition);
  }
  return [...wanted.values()];
}

/** Signs and stores one staged package. Idempotent: the same package has the same blob. */
async function publishPackage({ objects, signer }: PublishPorts, { key, artifact }: Addition): Promise<Artifact> {
  const staged = await objects.get(key);
  if (staged === undefined) {
    throw new RegrowError('package.malformed', `${label(artifact)} is not in staging (${key})`, {
      package: artifact.info.name,
      file: key,
      remedy: 'build it again',
    });
  }
  checkStaged(artifact, staged.bytes);
  const signed = signStaged(artifact, staged.bytes, signer);
  await putBlob(objects, signed.bytes);
  return signed.artifact;
}

/**
 * Publishes one transaction: packages are checked against what was verified, signed, read back and stored by digest; index
 * and package list are written for each target that changes; then one compare-and-swap of the pointer makes everything
 * visible on all targets at once. Stopped anywhere before the swap, nothing is visible, and running it again finishes it; what
 * is published already with the same content is left as it is, so a repeat gives the current generation back.
 *
 * Errors: package.malformed, package.signature-invalid, package.conflict, repository.corrupt, storage.full, storage.failed;
 * repository.moved when another publisher was faster (retry now) or has a higher token (never).
 */
export async function publishGeneration(
  ports: PublishPorts,
  request: PublishTransaction,
  options: PublishOptions = {},
): Promise<Generation> {
  const { generation } = await publishRemaining(ports, request, options, (_published, _left, [first]) => {
    throw first?.error;
  });
  if (generation !== undefined) return generation;
  throw new RegrowError('internal', 'a publication gave no generation');
}

/**
 * As `publishGeneration`, and what can never be published as it is does not keep back the rest: `remaining` says what of it
 * may go without. No generation when there is none yet and nothing is left to make one of.
 */
export async function publishRemaining(
  ports: PublishPorts,
  request: PublishTransaction,
  options: PublishOptions,
  remaining: Remaining,
): Promise<{ readonly generation: Generation | undefined; readonly refused: readonly RefusedAddition[] }> {
  const { objects } = ports;
  const current = await readCurrent(objects);
  checkToken(request.token, current);
  const memory = ports.memory ?? createRepositoryMemory();
  const state = await readState(objects, memory, current);
  const refused: RefusedAddition[] = [];
  const signed: Artifact[] = [];
  for (const addition of await missing(objects, request.add, state, refused)) {
    try {
      signed.push(await publishPackage(ports, addition));
    } catch (thrown) {
      if (!(thrown instanceof RegrowError) || thrown.code !== 'package.malformed') throw thrown;
      refused.push({ addition, error: thrown });
    }
  }
  if (refused.length === 0)
    return {
      generation: await makeGeneration(ports, request, options, { current, state, memory, added: signed }),
      refused,
    };
  const added = remaining(state, signed, refused);
  if (added.length === 0) return { generation: current?.generation, refused };
  return { generation: await makeGeneration(ports, request, options, { current, state, memory, added }), refused };
}

interface Change {
  readonly current: CurrentGeneration | undefined;
  readonly state: State;
  readonly memory: RepositoryMemory;
  readonly added: readonly Artifact[];
}

/** Writes the indexes that change and moves the pointer to them. */
async function makeGeneration(
  ports: PublishPorts,
  request: PublishTransaction,
  options: PublishOptions,
  { current, state, memory, added }: Change,
): Promise<Generation> {
  const { objects, clock } = ports;
  const removals = request.remove ?? [];
  const targets: Generation['targets'] = { ...current?.generation.targets };
  const appeared: string[] = [];
  const removed: string[] = [];
  const leaving: Artifact[] = [];
  let changed = false;
  for (const target of new Set([...state.keys(), ...added.map((artifact) => artifact.target)])) {
    const before = state.get(target) ?? [];
    const after = nextPackages(
      before,
      added.filter((artifact) => artifact.target === target),
      removals.filter((removal) => removal.target === target),
      options.keepVersions,
    );
    const [was, is] = [new Set(before.map(label)), new Set(after.map(label))];
    const gained = [...is].filter((one) => !was.has(one));
    const lost = [...was].filter((one) => !is.has(one));
    if (gained.length === 0 && lost.length === 0) continue;
    changed = true;
    appeared.push(...gained);
    removed.push(...lost);
    leaving.push(...before.filter((artifact) => !is.has(label(artifact))));
    targets[target] = await writeListing(
      { ...ports, memory },
      target,
      after,
      options.description ?? defaultDescription,
    );
  }
  if (!changed && current !== undefined) return current.generation;
  const next: Generation = {
    schema: 1,
    generation: (current?.generation.generation ?? 0) + 1,
    ...(current === undefined ? {} : { parent: current.generation.generation }),
    token: request.token,
    at: request.at ?? clock.now().toISOString(),
    targets,
    added: appeared.toSorted(),
    removed: removed.toSorted(),
  };
  // Before they leave, as nothing else says afterwards what they were; true also when the pointer does not move.
  await recordPublished(objects, leaving);
  await movePointer(objects, current, next);
  // It is published; what could not be written down now is when it leaves, what could not be forgotten by the next publication.
  const visible = new Set(appeared);
  const published = added.filter((artifact) => visible.has(label(artifact)));
  await recordPublished(objects, published).catch(() => undefined);
  await pruneGenerations(objects, next, options.keepGenerations ?? defaultKeep).catch(() => undefined);
  return next;
}

/** The one write that readers see. The old manifest is kept first, so that it is never only in the pointer. */
export async function movePointer(objects: Objects, current: CurrentGeneration | undefined, next: Generation): Promise<void> {
  if (current !== undefined) {
    await objects.put(generationKey(current.generation.generation), encodeJson(current.generation));
  }
  if (await objects.swap(currentKey, encodeJson(next), current?.etag)) return;
  throw new RegrowError('repository.moved', `generation ${next.generation} was published by someone else meanwhile`, {
    retry: 'now',
    remedy: 'nothing to do: it is tried again on top of the new generation',
  });
}
