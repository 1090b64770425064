import { type Apk, readApk } from '../../formats/apk.ts';
import {
  digestHex,
  type OciDescriptor,
  type OciImage,
  type OciProcess,
  ociBlob,
  ociConfig,
  ociManifest,
  ociTime,
} from '../../formats/oci.ts';
import type { ImageDefinition } from '../../model/image-definition.ts';
import { compareNames } from '../../model/package-index.ts';
import { ociArch, type Target } from '../../model/target.ts';
import type { UnpackEntry } from '../../ports/workspace.ts';
import { addAccounts, userOf } from './accounts.ts';
import { addApkState } from './apk-database.ts';
import { type ImagePackage, installPackages } from './install.ts';
import { makeLayers } from './layers.ts';
import { addSystemDirectories, addWorkDirectory, applyPaths } from './paths.ts';
import { imageInvalid, type Root, readText, unpackEntries } from './root.ts';
import { writeImageSbom } from './sbom.ts';

export interface ImageInput {
  /** Name without tag, for the SBOM. */
  readonly name: string;
  readonly definition: ImageDefinition;
  readonly target: Target;
  /** The bytes of each signed package of the solved set, in any order. */
  readonly packages: readonly Uint8Array[];
  /** Public keys that `/etc/apk/keys` gets: file name and PEM. */
  readonly keys: readonly { readonly name: string; readonly pem: string }[];
  /** Seconds since 1970: every time in the image. */
  readonly sourceDateEpoch: number;
}

/** One platform of an image. */
export interface AssembledImage {
  /** Of the manifest, with its platform. */
  readonly manifest: OciDescriptor;
  /** Of the SPDX document. */
  readonly sbom: OciDescriptor;
  /** Everything that the image consists of, by digest (hex). */
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  /** The root, parents first, to run the image once without a container runtime. */
  readonly entries: readonly UnpackEntry[];
  readonly process: OciProcess;
  readonly packages: readonly { readonly name: string; readonly version: string; readonly origin: string }[];
}

const defaultEnvironment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt',
};

/**
 * Makes an image from packages, as apko does: no package script runs, nothing of the machine gets in, so the same input
 * gives the same bytes. Throws package.malformed for a package that is none, image.invalid for what does not fit together.
 */
export async function assembleImage(input: ImageInput): Promise<AssembledImage> {
  const { name, definition, sourceDateEpoch } = input;
  const laid = layOutImage(input);
  const { packages, root } = laid;
  const infos = packages.map(({ info }) => info);
  const layers = await makeLayers(root, infos, definition.layers, sourceDateEpoch);
  const image: OciImage = { ...laid, layers, created: sourceDateEpoch };
  const config = ociConfig(image);
  const manifest = ociManifest(image, config);
  const facts = {
    name,
    manifest: manifest.descriptor,
    layers: layers.map(({ descriptor }) => descriptor),
    packages,
    read: (path: string) => readText(root, path),
    sourceDateEpoch,
  };
  const sbom = ociBlob('application/spdx+json', Buffer.from(writeImageSbom(facts)));
  const blobs = [...layers, config, manifest, sbom];
  return {
    manifest: manifest.descriptor,
    sbom: sbom.descriptor,
    blobs: new Map(blobs.map(({ descriptor, bytes }) => [digestHex(descriptor), bytes])),
    entries: unpackEntries(root),
    process: image.process,
    packages: infos.map((info) => ({ name: info.name, version: info.version, origin: info.origin })),
  };
}

/** What an image consists of before it is cut into layers. */
export interface LaidOutImage extends Pick<OciImage, 'platform' | 'process' | 'annotations'> {
  readonly root: Root;
  /** By name. */
  readonly packages: readonly Apk[];
}

/** The root of an image and what its configuration says. Errors: as those of `assembleImage`. */
export function layOutImage(input: Omit<ImageInput, 'name'>): LaidOutImage {
  const { definition, target, sourceDateEpoch } = input;
  const packages = openPackages(input);
  const root = installPackages(packages);
  addSystemDirectories(root);
  addAccounts(root, definition);
  applyPaths(root, definition);
  addWorkDirectory(root, definition);
  addApkState(root, packages, {
    arch: target.arch,
    repositories: definition.repositories,
    keys: input.keys,
    wanted: definition.packages,
  });
  const annotations = { 'org.opencontainers.image.created': ociTime(sourceDateEpoch), ...definition.annotations };
  return {
    root,
    packages: packages.map(({ apk }) => apk),
    platform: { os: 'linux', ...ociArch(target.arch) },
    process: processOf(root, definition, annotations),
    annotations,
  };
}

function openPackages({ packages, target }: Pick<ImageInput, 'packages' | 'target'>): readonly ImagePackage[] {
  const opened = packages
    .map((bytes) => ({ apk: readApk(bytes), bytes: bytes.length }))
    .toSorted((a, b) => compareNames(a.apk.info.name, b.apk.info.name));
  for (const [i, { apk }] of opened.entries()) {
    const { name, version, arch } = apk.info;
    if (arch !== target.arch && arch !== 'noarch') {
      throw imageInvalid(`${name}-${version} is for ${arch}, not ${target.arch}`, 'solve for the target of the image');
    }
    if (opened[i + 1]?.apk.info.name === name) {
      throw imageInvalid(`${name} is there twice`, 'give each package once', 'contents.packages');
    }
  }
  return opened;
}

function processOf(root: Root, definition: ImageDefinition, labels: Readonly<Record<string, string>>): OciProcess {
  const { entrypoint, cmd, workDirectory, stopSignal, volumes } = definition;
  const environment = { ...defaultEnvironment, ...definition.environment };
  const user = userOf(root, definition);
  return {
    ...(user === undefined ? {} : { User: user }),
    Env: Object.entries(environment)
      .map(([key, value]) => `${key}=${value}`)
      .toSorted(),
    ...(entrypoint.length === 0 ? {} : { Entrypoint: entrypoint }),
    ...(cmd.length === 0 ? {} : { Cmd: cmd }),
    ...(workDirectory === undefined ? {} : { WorkingDir: workDirectory }),
    ...(stopSignal === undefined ? {} : { StopSignal: stopSignal }),
    ...(volumes.length === 0 ? {} : { Volumes: Object.fromEntries(volumes.map((path) => [path, {}])) }),
    Labels: labels,
  };
}
