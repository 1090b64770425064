import { sha256 } from '../model/canonical.ts';

/** An element of an SPDX 2.3 document that stands for a package, a source, a file of a repository, an image. */
export interface SpdxPackage {
  readonly SPDXID: string;
  readonly name: string;
  readonly versionInfo?: string | undefined;
  readonly filesAnalyzed: false;
  readonly licenseConcluded: string;
  readonly licenseDeclared: string;
  readonly downloadLocation: string;
  readonly copyrightText: string;
  readonly description?: string | undefined;
  readonly homepage?: string | undefined;
  readonly supplier?: string | undefined;
  readonly sourceInfo?: string | undefined;
  readonly primaryPackagePurpose?: string | undefined;
  readonly checksums?: readonly { readonly algorithm: string; readonly checksumValue: string }[] | undefined;
  readonly externalRefs?:
    | readonly {
        readonly referenceCategory: string;
        readonly referenceLocator: string;
        readonly referenceType: string;
      }[]
    | undefined;
}

export interface SpdxRelationship {
  readonly spdxElementId: string;
  readonly relationshipType: string;
  readonly relatedSpdxElement: string;
}

/** A licence that is not on SPDX's list (specification 2.3, §10). */
export interface ExtractedLicense {
  /** `LicenseRef-…` */
  readonly licenseId: string;
  readonly extractedText: string;
}

export const noAssertion = 'NOASSERTION';

/** What is said of every element of which nothing else is known. */
export const plainPackage = {
  filesAnalyzed: false,
  licenseConcluded: noAssertion,
  licenseDeclared: noAssertion,
  downloadLocation: noAssertion,
  copyrightText: noAssertion,
} as const;

/**
 * The id of an element: letters, digits, `.` and `-` only. What else is in the parts is written as `C` and its number, as
 * melange does, so that `a_b` and `a-b` stay two.
 */
export function spdxId(...parts: readonly string[]): string {
  const id = parts.join('-').replace(/[/:]/g, '-');
  return `SPDXRef-${id.replace(/[^A-Za-z0-9.-]/gu, (letter) => `C${letter.codePointAt(0) ?? 0}`)}`;
}

export function purlReference(purl: string): Required<Pick<SpdxPackage, 'externalRefs'>> {
  return {
    externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceLocator: purl, referenceType: 'purl' }],
  };
}

export function spdxRelation(from: string, relationshipType: string, to: string): SpdxRelationship {
  return { spdxElementId: from, relationshipType, relatedSpdxElement: to };
}

/** A licence field: the expression where every part looks like one, else NOASSERTION, as readers reject what is no SPDX expression. */
export function licenseExpression(licenses: readonly string[]): string {
  const parts = licenses.filter((license) => /^[A-Za-z0-9.+\-() ]+$/.test(license));
  if (parts.length === 0 || parts.length !== licenses.length) return noAssertion;
  return parts.map((part) => (parts.length > 1 && part.includes(' ') ? `(${part})` : part)).join(' AND ');
}

/**
 * What a document has to say of the licences that its expressions name and SPDX's list does not have: each `LicenseRef-…`
 * once, sorted, with its text where that is known.
 */
export function extractedLicenses(
  expressions: readonly string[],
  texts: ReadonlyMap<string, string>,
): readonly ExtractedLicense[] {
  const ids = expressions.flatMap((expression) => expression.match(/LicenseRef-[A-Za-z0-9.-]+/g) ?? []);
  return [...new Set(ids)].toSorted().map((licenseId) => ({
    licenseId,
    extractedText:
      texts.get(licenseId) ?? `The recipe names this licence ${licenseId} and does not say where its text is.`,
  }));
}

export interface SpdxContents {
  readonly name: string;
  /** In the namespace, in front of a hash of all the rest. */
  readonly label: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly creators: readonly string[];
  readonly comment?: string;
  /** Id of the element that the document is about. */
  readonly describes: string;
  readonly packages: readonly SpdxPackage[];
  /** But for the one that says what the document is about. */
  readonly relationships: readonly SpdxRelationship[];
  /** Texts of licences, by their ids (`LicenseRef-…`). */
  readonly licenseTexts?: ReadonlyMap<string, string>;
}

/**
 * An SPDX 2.3 document as JSON text with a final newline. Same contents, same text; its namespace holds a hash of everything
 * else in it, so that no two documents share one.
 */
export function writeSpdxDocument(contents: SpdxContents): string {
  const { comment, describes, packages, licenseTexts = new Map<string, string>() } = contents;
  const licenses = extractedLicenses(
    packages.map((one) => one.licenseDeclared),
    licenseTexts,
  );
  const head = { spdxVersion: 'SPDX-2.3', dataLicense: 'CC0-1.0', SPDXID: 'SPDXRef-DOCUMENT', name: contents.name };
  const rest = {
    creationInfo: {
      created: new Date(contents.created * 1000).toISOString().replace('.000Z', 'Z'),
      creators: contents.creators,
      ...(comment === undefined ? {} : { comment }),
    },
    documentDescribes: [describes],
    packages,
    relationships: [spdxRelation('SPDXRef-DOCUMENT', 'DESCRIBES', describes), ...contents.relationships],
    ...(licenses.length === 0 ? {} : { hasExtractedLicensingInfos: licenses }),
  };
  const hash = sha256(JSON.stringify({ ...head, ...rest }));
  const documentNamespace = `https://spdx.org/spdxdocs/regrow/${encodeURIComponent(contents.label)}-${hash}`;
  return `${JSON.stringify({ ...head, documentNamespace, ...rest }, null, 2)}\n`;
}
