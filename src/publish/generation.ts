import { isDeepStrictEqual } from 'node:util';
import { RegrowError } from '../errors.ts';
import type { Artifact } from '../model/artifact.ts';
import type { Generation, Withdrawn } from '../model/publication.ts';
import type { TargetName } from '../model/target.ts';
import type { Clock } from '../ports/clock.ts';
import type { Objects } from '../ports/objects.ts';
import type { Signer } from '../ports/signer.ts';
import {
  type Addition,
  type Attest,
  label,
  missingAdditions,
  publishPackage,
  type RefusedAddition,
} from './additions.ts';
import { recordPublished } from './former.ts';
import { nextPackages, type Removal, writeListing } from './listing.ts';
import { type CurrentGeneration, currentKey, encodeJson, generationKey, readCurrent } from './manifest.ts';
import { createRepositoryMemory, type RepositoryMemory } from './memory.ts';
import { pruneGenerations } from './prune.ts';

export interface PublishPorts {
  readonly objects: Objects;
  readonly signer: Signer;
  readonly clock: Clock;
  /** Of the generations that this process wrote: the next one costs what it changes. None: everything is read again. */
  readonly memory?: RepositoryMemory;
  /** Writes down where each package came from. None: nobody does. */
  readonly attest?: Attest;
}

export interface PublishTransaction {
  readonly add: readonly Addition[];
  /** What is not to be published whatever it holds, and why; it is not in `add`. */
  readonly refused?: readonly RefusedAddition[];
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

/** Generations kept besides the current one, where nobody says. */
export const defaultKeep = 20;
const defaultDescription = 'regrow';

/** Of what is left when some additions are refused, that which can be published without them. */
export type Remaining = (
  published: ReadonlyMap<TargetName, readonly Artifact[]>,
  left: readonly Artifact[],
  refused: readonly RefusedAddition[],
) => readonly Artifact[];

export async function readState(
  objects: Objects,
  memory: RepositoryMemory,
  current: CurrentGeneration | undefined,
): Promise<ReadonlyMap<TargetName, readonly Artifact[]>> {
  const state = new Map<TargetName, readonly Artifact[]>();
  for (const name of Object.keys(current?.generation.targets ?? {})) {
    const target = name as TargetName;
    if (current !== undefined) state.set(target, await memory.packages(objects, current.generation, target));
  }
  return state;
}

export function checkToken(token: number, current: CurrentGeneration | undefined): void {
  const newest = current?.generation.token ?? 0;
  if (token >= newest) return;
  throw new RegrowError('repository.moved', `a publisher with token ${newest} took over from this one (${token})`, {
    remedy: 'nothing to do: this publisher stops, the newer one goes on',
  });
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
  const refused: RefusedAddition[] = [...(request.refused ?? [])];
  const signed: Artifact[] = [];
  for (const addition of await missingAdditions(
    objects,
    request.add,
    state,
    current?.generation.withdrawn ?? [],
    refused,
  )) {
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
  readonly state: ReadonlyMap<TargetName, readonly Artifact[]>;
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
  const removals = request.remove ?? [];
  const after = new Map<TargetName, readonly Artifact[]>();
  for (const target of new Set([...state.keys(), ...added.map((artifact) => artifact.target)])) {
    after.set(
      target,
      nextPackages(
        state.get(target) ?? [],
        added.filter((artifact) => artifact.target === target),
        removals.filter((removal) => removal.target === target),
        options.keepVersions,
      ),
    );
  }
  return writeGeneration({ ...ports, memory }, { ...request, current, before: state, after }, options);
}

/** What the next generation is to hold. */
export interface NextGeneration extends Pick<PublishTransaction, 'token' | 'at'> {
  readonly current: CurrentGeneration | undefined;
  readonly before: ReadonlyMap<TargetName, readonly Artifact[]>;
  /** Signed and stored, sorted by name, then version; a target that is not there stays as it is. */
  readonly after: ReadonlyMap<TargetName, readonly Artifact[]>;
  /** Absent: as before. */
  readonly withdrawn?: readonly Withdrawn[];
  readonly rolledBackTo?: number;
}

/** Writes the indexes that change and moves the pointer to them. Where nothing changes, gives the current generation. */
export async function writeGeneration(
  ports: PublishPorts & { readonly memory: RepositoryMemory },
  { current, before, after, token, at, ...request }: NextGeneration,
  options: PublishOptions,
): Promise<Generation> {
  const { objects, clock } = ports;
  const targets: Generation['targets'] = { ...current?.generation.targets };
  const [appeared, gone]: [Artifact[], Artifact[]] = [[], []];
  for (const [target, packages] of after) {
    const old = before.get(target) ?? [];
    const [was, is] = [new Set(old.map(label)), new Set(packages.map(label))];
    const gained = packages.filter((artifact) => !was.has(label(artifact)));
    const lost = old.filter((artifact) => !is.has(label(artifact)));
    if (gained.length === 0 && lost.length === 0) continue;
    appeared.push(...gained);
    gone.push(...lost);
    targets[target] = await writeListing(ports, target, packages, options.description ?? defaultDescription);
  }
  const known = current?.generation.withdrawn ?? [];
  const withdrawn = request.withdrawn ?? known;
  const isSame = appeared.length === 0 && gone.length === 0 && isDeepStrictEqual(withdrawn, known);
  if (isSame && current !== undefined) return current.generation;
  const next: Generation = {
    schema: 1,
    generation: (current?.generation.generation ?? 0) + 1,
    ...(current === undefined ? {} : { parent: current.generation.generation }),
    token,
    at: at ?? clock.now().toISOString(),
    targets,
    added: appeared.map(label).toSorted(),
    removed: gone.map(label).toSorted(),
    ...(withdrawn.length === 0 ? {} : { withdrawn: [...withdrawn] }),
    ...(request.rolledBackTo === undefined ? {} : { rolledBackTo: request.rolledBackTo }),
  };
  // Before they leave, as nothing else says afterwards what they were; true also when the pointer does not move.
  await recordPublished(objects, gone);
  await movePointer(objects, current, next);
  // It is published; what could not be written down now is when it leaves, what could not be forgotten by the next publication.
  await recordPublished(objects, appeared).catch(() => undefined);
  await pruneGenerations(objects, next, options.keepGenerations ?? defaultKeep).catch(() => undefined);
  return next;
}

/** The one write that readers see. The old manifest is kept first, so that it is never only in the pointer. */
export async function movePointer(
  objects: Objects,
  current: CurrentGeneration | undefined,
  next: Generation,
): Promise<void> {
  if (current !== undefined) {
    await objects.put(generationKey(current.generation.generation), encodeJson(current.generation));
  }
  if (await objects.swap(currentKey, encodeJson(next), current?.etag)) return;
  throw new RegrowError('repository.moved', `generation ${next.generation} was published by someone else meanwhile`, {
    retry: 'now',
    remedy: 'nothing to do: it is tried again on top of the new generation',
  });
}
