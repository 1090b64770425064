import { RegrowError } from '../errors.ts';
import { compareArtifacts } from '../formats/apk-index.ts';
import type { Artifact } from '../model/artifact.ts';
import type { Generation, Withdrawn } from '../model/publication.ts';
import type { TargetName } from '../model/target.ts';
import {
  type GenerationReader,
  lostText,
  planWithdrawal,
  readPublished,
  rolledBackContent,
  versionOf,
  type WithdrawalOrder,
  withoutAndWith,
} from '../model/withdrawal.ts';
import { blobKey, type Objects } from '../ports/objects.ts';
import { checkToken, type PublishOptions, type PublishPorts, writeGeneration } from './generation.ts';
import { type CurrentGeneration, corrupt, readCurrent, readGeneration } from './manifest.ts';
import { createRepositoryMemory, type RepositoryMemory } from './memory.ts';

/**
 * Makes a generation without one version of a recipe, on all targets, which is never published again; where nothing older of it is
 * left in the index, the newest older version of the kept generations comes back. Again is nothing. Errors: request.not-found for
 * what is not published; request.invalid when something would be left without what it needs, naming it; those of a publication.
 */
export async function withdraw(
  ports: PublishPorts,
  { name, version, reason, force }: WithdrawalOrder,
  token: number,
  options: PublishOptions = {},
): Promise<Generation> {
  const { memory = createRepositoryMemory(), objects } = ports;
  const current = await readExisting(objects, token);
  const reader = readerOf(objects, memory);
  const known = current.generation.withdrawn ?? [];
  const plan = await planWithdrawal(reader, current.generation, { name, version });
  const at = ports.clock.now().toISOString();
  if (plan === undefined) {
    const out = known.find((one) => one.origin === name && one.version === version);
    // What a rollback holds back is not there, and is to stay away when that is undone.
    const withdrawn =
      out?.rolledBackTo === undefined ? known : addWithdrawn(known, [{ origin: name, version, reason, at }]);
    const nothing = new Map<TargetName, readonly Artifact[]>();
    if (out !== undefined)
      return writeGeneration(
        { ...ports, memory },
        { current, before: nothing, after: nothing, token, at, withdrawn },
        options,
      );
    throw new RegrowError('request.not-found', `${name} ${version} is not published`, { package: name });
  }
  const [first] = plan.lost;
  if (first !== undefined && !force) {
    throw new RegrowError('request.invalid', lostText(plan.lost), {
      package: first.package,
      remedy: 'withdraw that first, or use --force',
    });
  }
  await checkBlobs(objects, plan.restored);
  const before = await readPublished(reader, current.generation);
  return writeGeneration(
    { ...ports, memory },
    {
      current,
      before,
      after: sortAll(withoutAndWith(before, plan.leaving, plan.restored)),
      token,
      at,
      withdrawn: addWithdrawn(known, [{ origin: plan.origin, version, reason, at }]),
    },
    options,
  );
}

/**
 * Makes a generation with the content of an older one, for all targets at once, without what was withdrawn since (an
 * older version that is kept comes in its place, where nothing else of the recipe would be left). Versions that
 * are newer are held back until `undoRollback`: main still asks for them. Again is nothing. Errors: request.not-found for a
 * generation that is not kept; those of a publication.
 */
export async function rollBack(
  ports: PublishPorts,
  number: number,
  token: number,
  options: PublishOptions = {},
): Promise<Generation> {
  const { memory = createRepositoryMemory(), objects } = ports;
  const current = await readExisting(objects, token);
  const reader = readerOf(objects, memory);
  const goal = await reader.generation(number);
  if (goal === undefined) {
    throw new RegrowError('request.not-found', `generation ${number} is not kept`, {
      remedy: '`regrow generations` lists those that are',
    });
  }
  const before = await readPublished(reader, current.generation);
  const old = await readPublished(reader, goal);
  const known = current.generation.withdrawn ?? [];
  const after = sortAll(await rolledBackContent(reader, old, current.generation));
  const stays = new Set([...after.values()].flat().map(({ info }) => versionOf(info)));
  await checkBlobs(objects, [...after.values()].flat());
  const at = ports.clock.now().toISOString();
  const held = new Map<string, Withdrawn>();
  for (const { info } of [...before.values()].flat()) {
    if (stays.has(versionOf(info))) continue;
    const { origin, version } = info;
    held.set(versionOf(info), {
      origin,
      version,
      reason: `rolled back to generation ${number}`,
      at,
      rolledBackTo: number,
    });
  }
  const left = known.filter((one) => one.rolledBackTo === undefined || !stays.has(versionOf(one)));
  return writeGeneration(
    { ...ports, memory },
    { current, before, after, token, at, withdrawn: addWithdrawn(left, [...held.values()]), rolledBackTo: number },
    options,
  );
}

/** Lets what a rollback held back be published again; main says what of it is. Errors: those of a publication. */
export async function undoRollback(
  ports: PublishPorts,
  token: number,
  options: PublishOptions = {},
): Promise<Generation> {
  const { memory = createRepositoryMemory(), objects } = ports;
  const current = await readExisting(objects, token);
  const withdrawn = (current.generation.withdrawn ?? []).filter((one) => one.rolledBackTo === undefined);
  const nothing = new Map<TargetName, readonly Artifact[]>();
  return writeGeneration({ ...ports, memory }, { current, before: nothing, after: nothing, token, withdrawn }, options);
}

async function readExisting(objects: Objects, token: number): Promise<CurrentGeneration> {
  const current = await readCurrent(objects);
  checkToken(token, current);
  if (current !== undefined) return current;
  throw new RegrowError('request.not-found', 'nothing is published yet');
}

function readerOf(objects: Objects, memory: RepositoryMemory): GenerationReader {
  return {
    generation: (number) => readGeneration(objects, number),
    packages: (generation, target) => memory.packages(objects, generation, target),
  };
}

/** A generation is only made of packages that are there. */
async function checkBlobs(objects: Objects, artifacts: readonly Artifact[]): Promise<void> {
  for (const { digest, info } of artifacts) {
    if (!(await objects.has(blobKey(digest)))) {
      throw corrupt(blobKey(digest), `is gone: ${info.name}-${info.version} cannot be published again`);
    }
  }
}

function sortAll(packages: ReadonlyMap<TargetName, readonly Artifact[]>): ReadonlyMap<TargetName, readonly Artifact[]> {
  return new Map([...packages].map(([target, list]) => [target, list.toSorted(compareArtifacts)]));
}

/** Later reasons take the place of earlier ones for the same version. */
function addWithdrawn(known: readonly Withdrawn[], more: readonly Withdrawn[]): readonly Withdrawn[] {
  const all = new Map([...known, ...more].map((one) => [versionOf(one), one]));
  return [...all.values()].toSorted((a, b) => (a.origin < b.origin || (a.origin === b.origin && a.at < b.at) ? -1 : 1));
}
