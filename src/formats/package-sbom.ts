import type { BuildSource } from '../model/build.ts';
import { digestOf } from '../model/canonical.ts';
import { apkPurl, recipePurl, sourcePurl } from './purl.ts';
import {
  licenseExpression,
  noAssertion,
  plainPackage,
  purlReference,
  type SpdxPackage,
  spdxId,
  spdxRelation,
  writeSpdxDocument,
} from './spdx.ts';

/** What the SBOM of one package says; all of it is known before the package is assembled. */
export interface PackageSbomFacts {
  readonly name: string;
  /** Full version, `1.2.3-r0`. */
  readonly version: string;
  readonly arch: string;
  readonly origin: string;
  readonly description: string;
  readonly url: string;
  readonly licenses: readonly string[];
  /** Texts of those that SPDX does not know, by their names (`LicenseRef-…`). */
  readonly licenseTexts?: ReadonlyMap<string, string>;
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

/** Where the SBOM lies in its package, as melange puts it. `version`: full. */
export function sbomPath(name: string, version: string): string {
  return `var/lib/db/sbom/${name}-${version}.spdx.json`;
}

/** The last part of an address, which is what people call it. */
function shortName(address: string): string {
  return address.replace(/\/+$/, '').split('/').at(-1) || 'source';
}

/** The checksums that SPDX has for a source: of a commit, the one that its length says it is. */
function checksumsOf(source: BuildSource): Pick<SpdxPackage, 'checksums'> {
  const digests: readonly (readonly [string, string | undefined])[] =
    source.kind === 'git'
      ? [[source.commit.length === 64 ? 'SHA256' : 'SHA1', source.commit]]
      : [
          ['SHA256', source.sha256],
          ['SHA512', source.sha512],
        ];
  const checksums = digests.flatMap(([algorithm, checksumValue]) =>
    checksumValue === undefined ? [] : [{ algorithm, checksumValue }],
  );
  return checksums.length === 0 ? {} : { checksums };
}

/** Its id has a hash of all that is known of it: the same source has the same element in the documents of all packages. */
function sourcePackage(source: BuildSource): SpdxPackage {
  const name = shortName(source.kind === 'git' ? source.repository : source.url);
  return {
    ...plainPackage,
    SPDXID: spdxId('Source', name, digestOf(source).slice(0, 12)),
    name,
    ...(source.kind === 'git' ? { versionInfo: source.tag ?? source.commit } : {}),
    downloadLocation: source.kind === 'git' ? `git+${source.repository}@${source.commit}` : source.url,
    primaryPackagePurpose: 'SOURCE',
    ...checksumsOf(source),
    ...purlReference(sourcePurl(source)),
  };
}

function recipePackage({ recipe, distribution }: PackageSbomFacts): SpdxPackage {
  const { path, commit, repository } = recipe;
  return {
    ...plainPackage,
    SPDXID: spdxId('Recipe', path, commit),
    name: path,
    versionInfo: commit,
    downloadLocation: repository === undefined ? noAssertion : `git+${repository}@${commit}#${path}`,
    supplier: `Organization: ${distribution.name}`,
    ...(repository === undefined ? {} : purlReference(recipePurl({ path, repository, commit }))),
  };
}

/**
 * The SPDX 2.3 document of one package, as JSON text with a final newline. Same facts, same text. Ids of elements are made
 * of what the elements are, so that the documents of several packages can be put into one, as apko does it for an image. The
 * files are not listed: apk records them.
 */
export function writePackageSbom(facts: PackageSbomFacts): string {
  const { name, version, distribution } = facts;
  const supplier = `Organization: ${distribution.name}`;
  const recipe = recipePackage(facts);
  // A recipe may fetch one thing twice, for two of its packages.
  const sources = [...new Map(facts.sources.map(sourcePackage).map((one) => [one.SPDXID, one])).values()];
  const subject: SpdxPackage = {
    ...plainPackage,
    SPDXID: spdxId('Package', name, version),
    name,
    versionInfo: version,
    licenseDeclared: licenseExpression(facts.licenses),
    description: facts.description.trim(),
    ...(facts.url === '' ? {} : { homepage: facts.url }),
    supplier,
    ...purlReference(apkPurl(facts)),
  };
  const system: SpdxPackage = {
    ...plainPackage,
    SPDXID: 'SPDXRef-OperatingSystem',
    name: distribution.namespace,
    ...(distribution.version === undefined ? {} : { versionInfo: distribution.version }),
    supplier,
    primaryPackagePurpose: 'OPERATING_SYSTEM',
  };
  return writeSpdxDocument({
    name: `${name}-${version}`,
    label: `${name}-${version}-${facts.arch}`,
    created: facts.sourceDateEpoch,
    creators: ['Tool: regrow', supplier],
    ...(facts.tools.length === 0 ? {} : { comment: `built with ${facts.tools.join(', ')}` }),
    describes: subject.SPDXID,
    packages: [subject, system, recipe, ...sources],
    relationships: [
      spdxRelation(system.SPDXID, 'CONTAINS', subject.SPDXID),
      spdxRelation(subject.SPDXID, 'DESCRIBED_BY', recipe.SPDXID),
      ...sources.map((source) => spdxRelation(subject.SPDXID, 'GENERATED_FROM', source.SPDXID)),
    ],
    ...(facts.licenseTexts === undefined ? {} : { licenseTexts: facts.licenseTexts }),
  });
}
