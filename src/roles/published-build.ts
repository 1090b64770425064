import { z } from 'zod';
import { RegrowError } from '../errors.ts';
import { dsseEnvelopeSchema } from '../formats/dsse.ts';
import { newestFirst } from '../model/apk-version.ts';
import type { Artifact } from '../model/artifact.ts';
import type { BuildRequest, LockedPackage } from '../model/build.ts';
import { sha256 } from '../model/canonical.ts';
import type { TargetName } from '../model/target.ts';
import type { Ledger } from '../ports/ledger.ts';
import { blobKey, type ObjectReader } from '../ports/objects.ts';
import { generationsPrefix, readCurrent, readGeneration, readPackages } from '../publish/manifest.ts';
import { generationTargets } from '../report/repository.ts';
import { buildRequestKey, readBuildRequest } from './build-request.ts';

/** All packages of one recipe in one version that a target has published: what one build made. */
export interface PublishedBuild {
  readonly origin: string;
  readonly version: string;
  readonly target: TargetName;
  readonly artifacts: readonly Artifact[];
}

/** What is asked for: a recipe or one of its packages; without a version the newest one, without a target all. */
export interface PublishedName {
  readonly name: string;
  readonly version?: string | undefined;
  readonly target?: TargetName | undefined;
}

/** The builds that a name stands for, by target. Errors: request.not-found, repository.corrupt. */
export async function findPublishedBuilds(objects: ObjectReader, asked: PublishedName): Promise<PublishedBuild[]> {
  const { name, version, target: only } = asked;
  const generation = (await readCurrent(objects))?.generation;
  const builds: PublishedBuild[] = [];
  const others = new Set<string>();
  for (const target of generation === undefined ? [] : generationTargets(generation)) {
    if (generation === undefined || (only !== undefined && target !== only)) continue;
    const packages = await readPackages(objects, generation, target);
    const named = packages.filter(({ info }) => info.name === name || info.origin === name);
    const wanted = newestFirst(named, ({ info }) => info.version).find(
      ({ info }) => version === undefined || info.version === version,
    )?.info;
    if (wanted === undefined) for (const { info } of named) others.add(info.version);
    else {
      const artifacts = packages.filter(({ info }) => info.origin === wanted.origin && info.version === wanted.version);
      builds.push({ origin: wanted.origin, version: wanted.version, target, artifacts });
    }
  }
  if (builds.length > 0) return builds;
  const where = only === undefined ? '' : ` for ${only}`;
  const known = others.size === 0 ? '' : `; published are ${[...others].toSorted().join(', ')}`;
  throw new RegrowError(
    'request.not-found',
    `${name}${version === undefined ? '' : ` ${version}`} is not published${where}${known}`,
    {
      package: name,
      remedy: '`regrow status --packages` lists what is published; withdrawn versions cannot be verified',
    },
  );
}

/**
 * Digest of the build request that published packages came from: as their provenance says, else as the ledger recorded their
 * build. Nobody's signature has to be believed for that: the request is held to its digest, and what it gives to the packages.
 * Errors: verify.inputs-gone.
 */
export async function requestOf(
  objects: ObjectReader,
  ledger: Pick<Ledger, 'list'> | undefined,
  build: PublishedBuild,
): Promise<string> {
  for (const artifact of build.artifacts) {
    const attested = await attestedRequest(objects, artifact);
    if (attested !== undefined) return attested;
  }
  const checksums = new Set(build.artifacts.map(({ checksum }) => checksum));
  for (const { value } of (await ledger?.list('build', build.origin)) ?? []) {
    const made = value.target === build.target ? (value.result?.artifacts ?? []) : [];
    if (value.result !== undefined && made.some(({ checksum }) => checksums.has(checksum))) return value.result.request;
  }
  throw inputsGone(
    build,
    'nothing says what it was built from: it has no provenance, and the ledger has no such build',
  );
}

/** What has to be in a provenance statement, of whatever release of regrow, to know the build request by. */
const accountSchema = z.object({
  subject: z.array(z.object({ digest: z.record(z.string(), z.string()) })),
  predicate: z.object({
    buildDefinition: z.object({ internalParameters: z.object({ request: z.string().regex(/^[0-9a-f]{64}$/) }) }),
  }),
});

async function attestedRequest(objects: ObjectReader, artifact: Artifact): Promise<string | undefined> {
  if (artifact.provenance === undefined) return undefined;
  const object = await objects.get(blobKey(artifact.provenance));
  if (object === undefined) return undefined;
  const envelope = dsseEnvelopeSchema.safeParse(parseJson(object.bytes)).data;
  const statement = accountSchema.safeParse(parseJson(Buffer.from(envelope?.payload ?? '', 'base64'))).data;
  if (statement?.subject.some(({ digest }) => digest['sha256'] === artifact.digest) !== true) return undefined;
  return statement.predicate.buildDefinition.internalParameters.request;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/**
 * The build request itself, its environments pointing at where their packages lie now: what a build used may have been in
 * staging then and be published since. Signing does not change a package's checksum. Errors: verify.inputs-gone.
 */
export async function readInputs(objects: ObjectReader, build: PublishedBuild, digest: string): Promise<BuildRequest> {
  const key = buildRequestKey(digest);
  if (!(await objects.has(key))) throw inputsGone(build, `its build request, ${key}, is no longer in the object store`);
  const request = await readBuildRequest(objects, digest);
  const find = createFinder(objects, build.target);
  const locate = async (locked: readonly LockedPackage[]): Promise<LockedPackage[]> => {
    const packages: LockedPackage[] = [];
    for (const one of locked) {
      const place = await find(one);
      if (place !== undefined) packages.push({ ...one, ...place });
      else
        throw inputsGone(
          build,
          `${one.name} ${one.version}, which it was built with, is no longer in the object store`,
        );
    }
    return packages;
  };
  const { environment, testEnvironments } = request;
  const tests: BuildRequest['testEnvironments'] = {};
  for (const [name, one] of Object.entries(testEnvironments)) {
    tests[name] = { ...one, packages: await locate(one.packages) };
  }
  return {
    ...request,
    environment: { ...environment, packages: await locate(environment.packages) },
    testEnvironments: tests,
  };
}

/** Looks where a locked package was, then among what is published, the newest generation first. */
function createFinder(objects: ObjectReader, target: TargetName) {
  let published: Promise<ReadonlyMap<string, Artifact>> | undefined;
  return async ({
    key,
    digest,
    checksum,
  }: LockedPackage): Promise<Pick<LockedPackage, 'key' | 'digest'> | undefined> => {
    const object = await objects.get(key);
    if (object !== undefined && sha256(object.bytes) === digest) return { key, digest };
    published ??= readEveryPackage(objects, target);
    const artifact = (await published).get(checksum);
    return artifact === undefined ? undefined : { key: blobKey(artifact.digest), digest: artifact.digest };
  };
}

/** By checksum: every package that a kept generation of the target has. */
async function readEveryPackage(objects: ObjectReader, target: TargetName): Promise<ReadonlyMap<string, Artifact>> {
  const numbers = (await objects.list(generationsPrefix)).flatMap((key) => /(\d+)\.json$/.exec(key)?.[1] ?? []);
  const current = (await readCurrent(objects))?.generation;
  const packages = new Map<string, Artifact>();
  for (const number of numbers.map(Number).toSorted((a, b) => a - b)) {
    const generation = await readGeneration(objects, number);
    if (generation === undefined) continue;
    for (const one of await readPackages(objects, generation, target)) packages.set(one.checksum, one);
  }
  if (current === undefined) return packages;
  for (const one of await readPackages(objects, current, target)) packages.set(one.checksum, one);
  return packages;
}

function inputsGone({ origin, version, target }: PublishedBuild, why: string): RegrowError {
  return new RegrowError('verify.inputs-gone', `${origin} ${version} for ${target} cannot be built again: ${why}`, {
    package: origin,
    remedy: 'nothing brings them back; raise the epoch of the recipe to have it built anew, with inputs that are kept',
  });
}
