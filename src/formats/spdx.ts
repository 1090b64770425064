import { createHash } from 'node:crypto';
import type { BuildSource } from '../model/build.ts';

/** What the SBOM of one package says; all of it is known before the package is assembled. */
export interface SpdxFacts {
  readonly name: string;
  /** Full version, `1.2.3-r0`. */
  readonly version: string;
  readonly arch: string;
  readonly origin: string;
  readonly description: string;
  readonly url: string;
  readonly licenses: readonly string[];
  /** Who distributes it: the namespace in `pkg:apk/NAMESPACE/…` and the name of the operating system. */
  readonly distribution: { readonly namespace: string; readonly name: string; readonly version?: string };
  /** The recipe it was built from. */
  readonly recipe: { readonly path: string; readonly repository?: string; readonly commit: string };
  readonly sources: readonly BuildSource[];
  /** What built it, `name version` each: the engine, the compiler. */
  readonly tools: readonly string[];
  /** Seconds since 1970. */
  readonly sourceDateEpoch: number;
}

interface SpdxPackage {
  readonly SPDXID: string;
  readonly name: string;
  readonly versionInfo?: string;
  readonly filesAnalyzed: false;
  readonly licenseConcluded: string;
  readonly licenseDeclared: string;
  readonly downloadLocation: string;
  readonly copyrightText: string;
  readonly description?: string;
  readonly homepage?: string;
  readonly supplier?: string;
  readonly primaryPackagePurpose?: string;
  readonly checksums?: readonly { readonly algorithm: string; readonly checksumValue: string }[];
  readonly externalRefs?: readonly {
    readonly referenceCategory: 'PACKAGE-MANAGER';
    readonly referenceLocator: string;
    readonly referenceType: 'purl';
  }[];
}

const none = 'NOASSERTION';

/** `pkg:apk/NAMESPACE/NAME@VERSION?arch=…&distro=…` (package-url type `apk`). */
export function apkPurl(facts: Pick<SpdxFacts, 'name' | 'version' | 'arch' | 'distribution'>): string {
  const { namespace, version } = facts.distribution;
  const distro = version === undefined ? namespace : `${namespace}-${version}`;
  const path = [namespace.toLowerCase(), facts.name.toLowerCase()].map(encodeURIComponent).join('/');
  return `pkg:apk/${path}@${encodeURIComponent(facts.version)}?arch=${facts.arch}&distro=${encodeURIComponent(distro)}`;
}

/** A part of an address without its escapes; as it is written where they are none, as in `100%.tar.gz`. */
export function decodeName(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The purl of a source: of GitHub's own type where it is there, else generic with its address. */
export function sourcePurl(source: BuildSource): string {
  const address = source.kind === 'git' ? source.repository : source.url;
  if (source.kind === 'archive') {
    const file = (URL.canParse(address) && decodeName(new URL(address).pathname.split('/').at(-1) ?? '')) || 'source';
    const checksum = source.sha256 === undefined ? '' : `&checksum=sha256:${source.sha256}`;
    return `pkg:generic/${encodeURIComponent(file)}?download_url=${encodeURIComponent(address)}${checksum}`;
  }
  const version = encodeURIComponent(source.tag ?? source.commit);
  const github = /^https:\/\/github\.com\/([^/]+)\/([^/]+?)(?:\.git)?\/?$/.exec(address);
  if (github !== null) {
    const [, owner = '', repository = ''] = github;
    return `pkg:github/${owner.toLowerCase()}/${repository.toLowerCase()}@${version}`;
  }
  const name =
    address
      .replace(/\/+$/, '')
      .split('/')
      .at(-1)
      ?.replace(/\.git$/, '') ?? 'source';
  return `pkg:generic/${encodeURIComponent(name)}@${version}?vcs_url=${encodeURIComponent(`git+${address}@${source.commit}`)}`;
}

/** SPDX ids hold letters, digits, `.` and `-` only. */
function spdxId(...parts: readonly string[]): string {
  return `SPDXRef-${parts.join('-').replace(/[^A-Za-z0-9.-]+/g, '-')}`;
}

function purlReference(purl: string): Pick<SpdxPackage, 'externalRefs'> {
  return {
    externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceLocator: purl, referenceType: 'purl' }],
  };
}

/** A licence field: the expression where every part looks like one, else NOASSERTION, as readers reject what is no SPDX expression. */
export function licenseExpression(licenses: readonly string[]): string {
  const parts = licenses.filter((license) => /^[A-Za-z0-9.+\-() ]+$/.test(license));
  if (parts.length === 0 || parts.length !== licenses.length) return none;
  return parts.map((part) => (parts.length > 1 && part.includes(' ') ? `(${part})` : part)).join(' AND ');
}

function sourcePackage(source: BuildSource, index: number): SpdxPackage {
  const purl = sourcePurl(source);
  const location = source.kind === 'git' ? `git+${source.repository}@${source.commit}` : source.url;
  const digests =
    source.kind === 'git'
      ? [{ algorithm: 'SHA1', checksumValue: source.commit }]
      : [
          ...(source.sha256 === undefined ? [] : [{ algorithm: 'SHA256', checksumValue: source.sha256 }]),
          ...(source.sha512 === undefined ? [] : [{ algorithm: 'SHA512', checksumValue: source.sha512 }]),
        ];
  const version = source.kind === 'git' ? (source.tag ?? source.commit) : undefined;
  return {
    SPDXID: spdxId('Source', String(index + 1)),
    name: (source.kind === 'git' ? source.repository : source.url).replace(/\/+$/, '').split('/').at(-1) ?? 'source',
    ...(version === undefined ? {} : { versionInfo: version }),
    filesAnalyzed: false,
    licenseConcluded: none,
    licenseDeclared: none,
    downloadLocation: location,
    copyrightText: none,
    primaryPackagePurpose: 'SOURCE',
    ...(digests.length === 0 ? {} : { checksums: digests }),
    ...purlReference(purl),
  };
}

function describePackages(facts: SpdxFacts): { readonly packages: SpdxPackage[]; readonly sources: SpdxPackage[] } {
  const { distribution, recipe } = facts;
  const supplier = `Organization: ${distribution.name}`;
  const plain = { filesAnalyzed: false, licenseConcluded: none, licenseDeclared: none, copyrightText: none } as const;
  const repository = recipe.repository ?? none;
  const sources = facts.sources.map(sourcePackage);
  const packages: SpdxPackage[] = [
    {
      ...plain,
      SPDXID: spdxId('Package', facts.name),
      name: facts.name,
      versionInfo: facts.version,
      licenseDeclared: licenseExpression(facts.licenses),
      downloadLocation: none,
      description: facts.description.trim(),
      ...(facts.url === '' ? {} : { homepage: facts.url }),
      supplier,
      ...purlReference(apkPurl(facts)),
    },
    {
      ...plain,
      SPDXID: 'SPDXRef-OperatingSystem',
      name: distribution.namespace,
      ...(distribution.version === undefined ? {} : { versionInfo: distribution.version }),
      downloadLocation: none,
      supplier,
      primaryPackagePurpose: 'OPERATING_SYSTEM',
    },
    {
      ...plain,
      SPDXID: 'SPDXRef-Recipe',
      name: recipe.path,
      versionInfo: recipe.commit,
      downloadLocation: repository === none ? none : `git+${repository}@${recipe.commit}#${recipe.path}`,
      supplier,
    },
    ...sources,
  ];
  return { packages, sources };
}

/**
 * The SPDX 2.3 document of one package, as JSON text with a final newline. Same facts, same text; the document's namespace
 * holds a hash of everything else in it, so that no two documents share one. The files are not listed: apk records them.
 */
export function writeSpdx(facts: SpdxFacts): string {
  const { packages, sources } = describePackages(facts);
  const subject = spdxId('Package', facts.name);
  const relation = (spdxElementId: string, relationshipType: string, relatedSpdxElement: string) => ({
    spdxElementId,
    relationshipType,
    relatedSpdxElement,
  });
  const body = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${facts.name}-${facts.version}`,
    creationInfo: {
      created: new Date(facts.sourceDateEpoch * 1000).toISOString().replace('.000Z', 'Z'),
      creators: ['Tool: regrow', `Organization: ${facts.distribution.name}`],
      ...(facts.tools.length === 0 ? {} : { comment: `built with ${facts.tools.join(', ')}` }),
    },
    documentDescribes: [subject],
    packages,
    relationships: [
      relation('SPDXRef-DOCUMENT', 'DESCRIBES', subject),
      relation('SPDXRef-OperatingSystem', 'CONTAINS', subject),
      relation(subject, 'DESCRIBED_BY', 'SPDXRef-Recipe'),
      ...sources.map((source) => relation(subject, 'GENERATED_FROM', source.SPDXID)),
    ],
  };
  const hash = createHash('sha256').update(JSON.stringify(body)).digest('hex');
  const name = encodeURIComponent(`${facts.name}-${facts.version}-${facts.arch}`);
  const documentNamespace = `https://spdx.org/spdxdocs/regrow/${name}-${hash}`;
  const { spdxVersion, dataLicense, SPDXID, name: documentName, ...rest } = body;
  const document = { spdxVersion, dataLicense, SPDXID, name: documentName, documentNamespace, ...rest };
  return `${JSON.stringify(document, null, 2)}\n`;
}
