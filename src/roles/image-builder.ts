import { RegrowError } from '../errors.ts';
import { sha256 } from '../model/canonical.ts';
import { parseImageDefinition } from '../model/image-definition.ts';
import type { ImageRequest } from '../model/request.ts';
import type { ImageBuiltResult } from '../model/result.ts';
import { type Arch, parseTarget } from '../model/target.ts';
import type { Objects } from '../ports/objects.ts';
import type { Sandbox } from '../ports/sandbox.ts';
import type { Workspaces } from '../ports/workspace.ts';
import {
  type ApkoPorts,
  type AssembledImage,
  assembleImage,
  buildWithApko,
  commandOf,
  indexImages,
  keptOutput,
} from '../publish/image/index.ts';
import { putBlob } from '../publish/listing.ts';

export interface ImageBuilderPorts {
  readonly objects: Objects;
  readonly sandbox: Sandbox;
  readonly workspaces: Workspaces;
  /** Where apko is, looked for when an image wants it, and the key of what it is given. */
  readonly apko: () => Promise<Pick<ApkoPorts, 'program' | 'signer'>>;
}

export interface ImageRunLimits {
  /** Of this machine: an image for another architecture is made here, and not run. */
  readonly arch: Arch;
  /** Milliseconds. */
  readonly timeout: number;
  /** Bytes. */
  readonly outputLimit: number;
  /** Processes at a time. */
  readonly processLimit: number;
}

type BuiltImage = Pick<ImageBuiltResult, 'index' | 'blobs' | 'platforms'>;

/**
 * Makes an image on every platform with the engine that was asked for, runs once each that this machine can run, and stores its blobs. The
 * image has no tag by that: the publisher gives it one. Errors: image.invalid, image.failed, package.malformed, repository.corrupt,
 * tool.missing.
 */
export async function buildImage(
  request: ImageRequest,
  ports: ImageBuilderPorts,
  limits: ImageRunLimits,
  signal: AbortSignal,
): Promise<BuiltImage> {
  const { engine = 'regrow', definition: file } = request;
  const { definition } = parseImageDefinition(file.path, file.text, engine);
  const images: AssembledImage[] = [];
  const platforms: BuiltImage['platforms'] = [];
  for (const platform of request.platforms) {
    const packages: Uint8Array[] = [];
    for (const { key, digest, name } of platform.packages)
      packages.push(await readPackage(ports.objects, key, digest, name));
    const { name, tag, keys, sourceDateEpoch } = request;
    const input = { name, target: parseTarget(platform.target), packages, keys, sourceDateEpoch };
    const image =
      engine === 'apko'
        ? await buildWithApko({ ...input, tag, file }, { ...ports, ...(await ports.apko()) }, limits, signal)
        : await assembleImage({ ...input, definition });
    const runs = input.target.arch === limits.arch && !definition.isSupervised;
    const output = runs ? await runImage(`${name}:${tag}`, image, ports, limits, signal) : '';
    images.push(image);
    platforms.push({ target: platform.target, manifest: image.manifest.digest, output });
  }
  const { index, blobs } = indexImages(images);
  for (const bytes of blobs.values()) await putBlob(ports.objects, bytes);
  return { index: index.descriptor.digest.replace('sha256:', ''), blobs: [...blobs.keys()], platforms };
}

async function readPackage(objects: Objects, key: string, digest: string, name: string): Promise<Uint8Array> {
  const object = await objects.get(key);
  if (object !== undefined && sha256(object.bytes) === digest) return object.bytes;
  throw new RegrowError(
    'repository.corrupt',
    `${name} is ${object === undefined ? 'not' : 'damaged'} in the object store (${key})`,
    {
      package: name,
      file: key,
      remedy: 'restore the object from a backup, or raise the epoch so that it is built again',
    },
  );
}

/** Runs an image's program once, without network, on its own root alone. Gives what it printed; image.failed when it fails. */
async function runImage(
  ref: string,
  image: AssembledImage,
  { sandbox, workspaces }: ImageBuilderPorts,
  limits: ImageRunLimits,
  signal: AbortSignal,
): Promise<string> {
  const command = commandOf(image.process);
  if (command === undefined) return '';
  const workspace = await workspaces.create('image');
  try {
    await workspace.makeDirectory('root');
    await workspace.unpack('root', image.entries);
    const chunks: Uint8Array[] = [];
    const exitCode = await sandbox.run({
      root: workspace.path('root'),
      ...command,
      timeout: limits.timeout,
      outputLimit: limits.outputLimit,
      processLimit: limits.processLimit,
      onOutput: (chunk) => chunks.push(chunk),
      signal,
    });
    const output = Buffer.concat(chunks).toString('utf8');
    if (exitCode === 0) return keptOutput(output);
    throw new RegrowError(
      'image.failed',
      `${ref} ended with ${exitCode} when it was run: ${output.trim().slice(-500)}`,
      {
        file: ref,
        remedy: 'look at its entrypoint and at what the packages of it print; the published image stays as it is',
      },
    );
  } finally {
    await workspace.dispose();
  }
}
