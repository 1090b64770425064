import type { Apk } from '../../formats/apk.ts';
import { digestHex, type OciDescriptor } from '../../formats/oci.ts';
import { sbomPath } from '../../formats/package-sbom.ts';
import { apkPurl, ociPurl } from '../../formats/purl.ts';
import {
  licenseExpression,
  plainPackage,
  purlReference,
  type SpdxPackage,
  spdxId,
  spdxRelation,
  writeSpdxDocument,
} from '../../formats/spdx.ts';
import { compareNames } from '../../model/package-index.ts';
import { mergePackageSboms } from './package-sboms.ts';

export interface ImageSbomFacts {
  /** Name of the image, without tag. */
  readonly name: string;
  readonly manifest: OciDescriptor;
  /** The layers of the manifest. */
  readonly layers: readonly OciDescriptor[];
  /** In any order. */
  readonly packages: readonly Pick<Apk, 'info' | 'digest'>[];
  /** The text of a file of the image, where it is there. */
  readonly read: (path: string) => string | undefined;
  /** Seconds since 1970. */
  readonly sourceDateEpoch: number;
}

/**
 * The SPDX 2.3 document of one platform's image: the image, its layers, the distribution, every package by its purl and the
 * sha256 of its file, and what each package's own SBOM says of its recipe and sources. Same facts, same text.
 */
export function writeImageSbom(facts: ImageSbomFacts): string {
  const { name, manifest, layers, read } = facts;
  const packages = facts.packages.toSorted((a, b) => compareNames(a.info.name, b.info.name));
  const distribution = readDistribution(read('etc/os-release') ?? '');
  const { namespace, version } = distribution;
  const image = imagePackage('SPDXRef-Image', name, manifest.digest, manifest.platform?.architecture);
  const layerPackages = layers.map(({ digest }): SpdxPackage => {
    const hex = digestHex({ digest });
    return {
      ...plainPackage,
      SPDXID: spdxId('Layer', hex),
      name: digest,
      description: 'layer of the image',
      primaryPackagePurpose: 'CONTAINER',
      checksums: [{ algorithm: 'SHA256', checksumValue: hex }],
    };
  });
  const system: SpdxPackage = {
    ...plainPackage,
    SPDXID: 'SPDXRef-OperatingSystem',
    name: namespace,
    ...(version === undefined ? {} : { versionInfo: version }),
    primaryPackagePurpose: 'OPERATING_SYSTEM',
  };
  const contents = packages.map(
    ({ info, digest }): SpdxPackage => ({
      ...plainPackage,
      SPDXID: spdxId('Package', info.name, info.version),
      name: info.name,
      versionInfo: info.version,
      licenseDeclared: licenseExpression(info.licenses),
      ...(info.url === '' ? {} : { homepage: info.url }),
      supplier: `Organization: ${distribution.name}`,
      sourceInfo: `origin ${info.origin}`,
      checksums: [{ algorithm: 'SHA256', checksumValue: digest() }],
      ...purlReference(apkPurl({ name: info.name, version: info.version, arch: info.arch, distribution })),
    }),
  );
  const merged = mergePackageSboms(
    contents.map((own) => ({ own, sbom: read(sbomPath(own.name, own.versionInfo ?? '')) })),
  );
  const contained = [...layerPackages, system, ...contents];
  return writeSpdxDocument({
    name: `${name}@${manifest.digest}`,
    label: name,
    created: facts.sourceDateEpoch,
    creators: ['Tool: regrow'],
    describes: image.SPDXID,
    packages: [image, ...contained, ...merged.packages],
    relationships: [
      ...contained.map(({ SPDXID }) => spdxRelation(image.SPDXID, 'CONTAINS', SPDXID)),
      ...merged.relationships,
    ],
    licenseTexts: merged.licenseTexts,
  });
}

export interface IndexSbomFacts {
  readonly name: string;
  /** `sha256:HEX` */
  readonly digest: string;
  readonly platforms: readonly { readonly digest: string; readonly architecture: string }[];
  /** Seconds since 1970. */
  readonly sourceDateEpoch: number;
}

/** The SPDX 2.3 document of an index: which images it stands for; what is in them their own documents say. Same facts, same text. */
export function writeIndexSbom({ name, digest, platforms, sourceDateEpoch }: IndexSbomFacts): string {
  const index = imagePackage('SPDXRef-Index', name, digest, undefined);
  const images = platforms.map((one) =>
    imagePackage(spdxId('Image', one.architecture, digestHex(one).slice(0, 12)), name, one.digest, one.architecture),
  );
  return writeSpdxDocument({
    name: `${name}@${digest}`,
    label: name,
    created: sourceDateEpoch,
    creators: ['Tool: regrow'],
    describes: index.SPDXID,
    packages: [index, ...images],
    relationships: images.map(({ SPDXID }) => spdxRelation(SPDXID, 'VARIANT_OF', index.SPDXID)),
  });
}

/** An image or an index, by its digest, `sha256:HEX`. */
function imagePackage(SPDXID: string, name: string, digest: string, architecture: string | undefined): SpdxPackage {
  return {
    ...plainPackage,
    SPDXID,
    name,
    versionInfo: digest,
    primaryPackagePurpose: 'CONTAINER',
    checksums: [{ algorithm: 'SHA256', checksumValue: digestHex({ digest }) }],
    ...purlReference(ociPurl(name, digest, architecture)),
  };
}

interface Distribution {
  readonly namespace: string;
  readonly name: string;
  readonly version?: string;
}

/** `KEY=value` lines, quotes taken off (os-release(5)). */
function readDistribution(text: string): Distribution {
  const system: Readonly<Record<string, string>> = Object.fromEntries(
    Array.from(text.matchAll(/^([A-Z_]+)=(["']?)(.*)\2$/gm), ([, key = '', , value = '']) => [key, value]),
  );
  const version = system['VERSION_ID'];
  return {
    namespace: system['ID'] ?? 'linux',
    name: system['NAME'] ?? 'Linux',
    ...(version === undefined ? {} : { version }),
  };
}
