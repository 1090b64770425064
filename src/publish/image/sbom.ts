import { digestHex, type OciDescriptor, ociTime } from '../../formats/oci.ts';
import { apkPurl, licenseExpression } from '../../formats/spdx.ts';
import type { PackageInfo } from '../../model/artifact.ts';
import { digestOf } from '../../model/canonical.ts';

export interface ImageSbomFacts {
  /** Name of the image, without tag. */
  readonly name: string;
  readonly manifest: OciDescriptor;
  readonly packages: readonly PackageInfo[];
  /** The text of `/etc/os-release` in the image, where there is one. */
  readonly osRelease: string | undefined;
  /** Seconds since 1970. */
  readonly sourceDateEpoch: number;
}

const none = 'NOASSERTION';

/** The SPDX 2.3 document of one platform's image: the image, the distribution and every package by its purl. Same facts, same text. */
export function writeImageSbom(facts: ImageSbomFacts): string {
  const { name, manifest, packages, sourceDateEpoch } = facts;
  const system = readOsRelease(facts.osRelease ?? '');
  const distribution = { namespace: system['ID'] ?? 'linux', name: system['NAME'] ?? 'Linux' };
  const version = system['VERSION_ID'];
  const distro = version === undefined ? distribution : { ...distribution, version };
  const plain = { filesAnalyzed: false, downloadLocation: none, licenseConcluded: none, copyrightText: none };
  const image = {
    ...plain,
    SPDXID: 'SPDXRef-Image',
    name,
    versionInfo: manifest.digest,
    licenseDeclared: none,
    primaryPackagePurpose: 'CONTAINER',
    checksums: [{ algorithm: 'SHA256', checksumValue: digestHex(manifest) }],
    externalRefs: [purl(ociPurl(name, manifest.digest, manifest.platform?.architecture))],
  };
  const operatingSystem = {
    ...plain,
    SPDXID: 'SPDXRef-OperatingSystem',
    name: distribution.namespace,
    ...(version === undefined ? {} : { versionInfo: version }),
    licenseDeclared: none,
    primaryPackagePurpose: 'OPERATING_SYSTEM',
  };
  const contents = packages.map((info) => ({
    ...plain,
    SPDXID: `SPDXRef-Package-${info.name.replace(/[^A-Za-z0-9.-]/g, '-')}`,
    name: info.name,
    versionInfo: info.version,
    licenseDeclared: licenseExpression(info.licenses),
    ...(info.url === '' ? {} : { homepage: info.url }),
    supplier: `Organization: ${distribution.name}`,
    sourceInfo: `origin ${info.origin}`,
    checksums: [{ algorithm: 'SHA256', checksumValue: info.datahash }],
    externalRefs: [purl(apkPurl({ name: info.name, version: info.version, arch: info.arch, distribution: distro }))],
  }));
  const contained = [operatingSystem, ...contents];
  const body = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${name}@${manifest.digest}`,
    creationInfo: { created: ociTime(sourceDateEpoch), creators: ['Tool: regrow'] },
    documentDescribes: [image.SPDXID],
    packages: [image, ...contained],
    relationships: [
      relation('SPDXRef-DOCUMENT', 'DESCRIBES', image.SPDXID),
      ...contained.map(({ SPDXID }) => relation(image.SPDXID, 'CONTAINS', SPDXID)),
    ],
  };
  return withNamespace(name, body);
}

/** A document's text, with a namespace that no other document has. */
function withNamespace(name: string, body: object): string {
  const documentNamespace = `https://spdx.org/spdxdocs/regrow/${encodeURIComponent(name)}-${digestOf(body)}`;
  return `${JSON.stringify({ ...body, documentNamespace }, null, 2)}\n`;
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
  const plain = { filesAnalyzed: false, downloadLocation: none, licenseConcluded: none, copyrightText: none };
  const image = (SPDXID: string, one: { readonly digest: string; readonly architecture?: string }) => ({
    ...plain,
    SPDXID,
    name,
    versionInfo: one.digest,
    licenseDeclared: none,
    primaryPackagePurpose: 'CONTAINER',
    checksums: [{ algorithm: 'SHA256', checksumValue: digestHex(one) }],
    externalRefs: [purl(ociPurl(name, one.digest, one.architecture))],
  });
  const index = image('SPDXRef-Index', { digest });
  const images = platforms.map((one) => image(`SPDXRef-Image-${one.architecture}-${digestHex(one).slice(0, 12)}`, one));
  const body = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${name}@${digest}`,
    creationInfo: { created: ociTime(sourceDateEpoch), creators: ['Tool: regrow'] },
    documentDescribes: [index.SPDXID],
    packages: [index, ...images],
    relationships: [
      relation('SPDXRef-DOCUMENT', 'DESCRIBES', index.SPDXID),
      ...images.map(({ SPDXID }) => relation(SPDXID, 'VARIANT_OF', index.SPDXID)),
    ],
  };
  return withNamespace(name, body);
}

/** `pkg:oci/NAME@sha256:HEX?arch=…` (package-url type `oci`). */
function ociPurl(name: string, digest: string, architecture: string | undefined): string {
  const short = name.slice(name.lastIndexOf('/') + 1).toLowerCase();
  const arch = architecture === undefined ? '' : `?arch=${architecture}`;
  return `pkg:oci/${encodeURIComponent(short)}@${encodeURIComponent(digest)}${arch}`;
}

function purl(referenceLocator: string) {
  return { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator };
}

function relation(spdxElementId: string, relationshipType: string, relatedSpdxElement: string) {
  return { spdxElementId, relationshipType, relatedSpdxElement };
}

/** `KEY=value` lines, quotes taken off (os-release(5)). */
function readOsRelease(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Array.from(text.matchAll(/^([A-Z_]+)=(["']?)(.*)\2$/gm), ([, key = '', , value = '']) => [key, value]),
  );
}
