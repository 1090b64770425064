import { RegrowError } from '../errors.ts';
import { comparePackages } from '../formats/package-difference.ts';
import type { Artifact } from '../model/artifact.ts';
import type { BuildFailure, BuildRequest, BuildResult } from '../model/build.ts';
import { sha256 } from '../model/canonical.ts';
import type { Difference } from '../model/difference.ts';
import { type Arch, parseTarget, type TargetName } from '../model/target.ts';
import type { Ledger } from '../ports/ledger.ts';
import { blobKey, type Objects, stagingKey } from '../ports/objects.ts';
import { packageFileName } from '../report/repository.ts';
import type { BuilderContext } from './builder.ts';
import { type PublishedBuild, readInputs, requestOf } from './published-build.ts';

/** One published package beside what came of building it again. */
export interface RebuiltPackage {
  readonly name: string;
  /** `Q1…` of the published control member, and of the one that was built now; undefined where none was. */
  readonly checksum: string;
  readonly rebuilt: string | undefined;
  readonly differences: readonly Difference[];
}

export interface Rebuilt {
  readonly package: string;
  readonly version: string;
  readonly target: TargetName;
  /** Digest of the build request. */
  readonly request: string;
  /** Whether every package has the same control and data, byte for byte. Undefined where the build failed. */
  readonly same: boolean | undefined;
  readonly packages: readonly RebuiltPackage[];
  readonly failure?: BuildFailure;
  readonly milliseconds: number;
}

export interface RebuildPorts {
  /** Read from; what the build leaves goes to the scratch below. */
  readonly objects: Objects;
  readonly ledger: Pick<Ledger, 'list'> | undefined;
  readonly run: BuilderContext['run'];
  /** What this machine can build for; its own architecture first. */
  readonly arches: readonly Arch[];
  /** Versions of the engines that this regrow has. */
  readonly engines: Readonly<Partial<Record<BuildRequest['engine'], number>>>;
}

const sides = { first: 'what is published', second: 'what was built now' };

/**
 * Builds published packages again from their own recorded inputs, and compares byte for byte. A build that fails is an answer.
 * Errors: verify.inputs-gone, verify.engine-other, tool.missing, sandbox.unavailable, aborted, upstream.*, repository.corrupt.
 */
export async function rebuild(ports: RebuildPorts, build: PublishedBuild, signal: AbortSignal): Promise<Rebuilt> {
  const { objects } = ports;
  const { origin, version, target } = build;
  refuseOtherMachine(ports, build);
  const digest = await requestOf(objects, ports.ledger, build);
  const request = await readInputs(objects, build, digest);
  refuseOtherEngine(ports, build, request);
  const buildKey = `verify-${digest.slice(0, 32)}-${target}`;
  const result = await ports.run(request, { buildKey, request: digest }, signal);
  const common = { package: origin, version, target, request: digest, milliseconds: result.milliseconds };
  if (result.outcome === 'failed') {
    const { failure } = result;
    return { ...common, same: undefined, packages: [], ...(failure === undefined ? {} : { failure }) };
  }
  const packages: RebuiltPackage[] = [];
  for (const artifact of build.artifacts) packages.push(await compare(objects, artifact, result));
  return { ...common, same: packages.every(({ differences }) => differences.length === 0), packages };
}

async function compare(objects: Objects, artifact: Artifact, result: BuildResult): Promise<RebuiltPackage> {
  const { name } = artifact.info;
  const made = result.artifacts.find(({ info }) => info.name === name);
  const common = { name, checksum: artifact.checksum, rebuilt: made?.checksum };
  if (made === undefined) {
    return {
      ...common,
      differences: [{ package: name, path: 'the package', kind: 'missing', text: `is only in ${sides.first}` }],
    };
  }
  const published = await read(objects, blobKey(artifact.digest), artifact.digest);
  const now = await read(objects, stagingKey(result.buildKey, packageFileName(made)), made.digest);
  return { ...common, differences: comparePackages(name, published, now, sides) };
}

async function read(objects: Objects, key: string, digest: string): Promise<Uint8Array> {
  const object = await objects.get(key);
  if (object !== undefined && sha256(object.bytes) === digest) return object.bytes;
  throw new RegrowError(
    'repository.corrupt',
    `${key} is ${object === undefined ? 'not in the object store' : 'not what its digest says'}`,
    { file: key, remedy: 'restore the object from a backup' },
  );
}

function refuseOtherMachine({ arches }: RebuildPorts, { origin, version, target }: PublishedBuild): void {
  if (arches.includes(parseTarget(target).arch)) return;
  throw new RegrowError(
    'tool.missing',
    `${origin} ${version} is for ${target}, and this machine builds for ${arches.join(', ')}`,
    {
      package: origin,
      remedy: `run it on a machine of ${parseTarget(target).arch} that reaches the object store, or name a target with --target`,
    },
  );
}

function refuseOtherEngine({ engines }: RebuildPorts, build: PublishedBuild, request: BuildRequest): void {
  const { engine, engineVersion } = request;
  const own = engines[engine];
  if (own === engineVersion) return;
  const { origin, version, target } = build;
  const here = own === undefined ? 'does not have that engine' : `has version ${own} of it`;
  throw new RegrowError(
    'verify.engine-other',
    `${origin} ${version} for ${target} was built by version ${engineVersion} of the ${engine} engine, and this regrow ${here}`,
    { package: origin, remedy: 'verify it with the release of regrow that built it, on the same state directory' },
  );
}
