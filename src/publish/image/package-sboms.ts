import { z } from 'zod';
import { type SpdxPackage, type SpdxRelationship, spdxRelation } from '../../formats/spdx.ts';

/** Ways from an element to what it was made of; others are left out. */
const kinds = [
  'CONTAINS',
  'DEPENDS_ON',
  'DESCRIBED_BY',
  'DYNAMIC_LINK',
  'GENERATED_FROM',
  'STATIC_LINK',
  'VARIANT_OF',
] as const;
const purposes = ['APPLICATION', 'ARCHIVE', 'FILE', 'FRAMEWORK', 'INSTALL', 'LIBRARY', 'OTHER', 'SOURCE'] as const;

const id = z.string().regex(/^SPDXRef-[A-Za-z0-9.-]+$/);
const text = z.string().min(1);
const unsure = text.catch('NOASSERTION');
const checksum = z.object({
  algorithm: z.enum(['SHA1', 'SHA256', 'SHA384', 'SHA512']),
  checksumValue: z.string().regex(/^[0-9a-f]+$/),
});
const reference = z.object({
  referenceCategory: z.enum(['PACKAGE-MANAGER', 'SECURITY', 'PERSISTENT-ID', 'OTHER']),
  referenceLocator: z.string().regex(/^\S+$/),
  referenceType: z.string().regex(/^[A-Za-z0-9.-]+$/),
});
/** An optional field; what does not fit is left out, the rest of the element stays. */
function fitting<T extends z.ZodType>(schema: T) {
  return schema.optional().catch(undefined);
}

const element = z.object({
  SPDXID: id,
  name: text,
  versionInfo: fitting(text),
  filesAnalyzed: z.unknown().transform(() => false as const),
  licenseConcluded: unsure,
  licenseDeclared: unsure,
  downloadLocation: unsure,
  copyrightText: unsure,
  description: fitting(text),
  homepage: fitting(z.url()),
  supplier: fitting(z.string().regex(/^(NOASSERTION$|(Organization|Person): \S)/)),
  primaryPackagePurpose: fitting(z.enum(purposes)),
  checksums: fitting(z.array(checksum)),
  externalRefs: fitting(z.array(reference)),
});

/** Of a package's own document, which others may have made: what an image's document can say again. */
const sbom = z.object({
  spdxVersion: z.enum(['SPDX-2.2', 'SPDX-2.3']),
  documentDescribes: z.array(id).default([]),
  packages: z.array(element),
  relationships: z.array(
    z.object({ spdxElementId: z.string(), relationshipType: z.string(), relatedSpdxElement: z.string() }),
  ),
  hasExtractedLicensingInfos: z
    .array(z.object({ licenseId: z.string().regex(/^LicenseRef-[A-Za-z0-9.-]+$/), extractedText: text }))
    .default([]),
});

type PackageSbom = z.infer<typeof sbom>;

function readSbom(json: string | undefined): PackageSbom | undefined {
  if (json === undefined) return undefined;
  try {
    return sbom.safeParse(JSON.parse(json)).data;
  } catch {
    return undefined;
  }
}

export interface MergedSboms {
  readonly packages: readonly SpdxPackage[];
  readonly relationships: readonly SpdxRelationship[];
  readonly licenseTexts: ReadonlyMap<string, string>;
}

/**
 * What the packages' own SBOMs say of where they come from (recipe, sources, what is linked in), for one document: everything
 * that can be reached from the element that a document is about, which `own` stands for. What several documents say alike is
 * there once; an id that is taken by something else gets a number. A document that cannot be read says nothing, as with apko.
 */
export function mergePackageSboms(
  parts: readonly { readonly own: SpdxPackage; readonly sbom: string | undefined }[],
): MergedSboms {
  const taken = new Map(parts.map(({ own }): [string, string] => [own.SPDXID, '']));
  const packages: SpdxPackage[] = [];
  const relationships = new Map<string, SpdxRelationship>();
  const texts = new Map<string, Set<string>>();

  function idFor(one: SpdxPackage): string {
    const content = JSON.stringify(one);
    for (let i = 1; ; i++) {
      const free = i === 1 ? one.SPDXID : `${one.SPDXID}-${i}`;
      const there = taken.get(free);
      if (there === content) return free;
      if (there !== undefined) continue;
      taken.set(free, content);
      packages.push({ ...one, SPDXID: free });
      return free;
    }
  }

  for (const { own, sbom: json } of parts) {
    const document = readSbom(json);
    if (document === undefined) continue;
    const described = describedBy(document);
    const elements = new Map(document.packages.map((one) => [one.SPDXID, one]));
    const ids = new Map([...described].map((one): [string, string] => [one, own.SPDXID]));
    for (const { spdxElementId: from, relationshipType: kind, relatedSpdxElement: to } of reachable(
      document,
      described,
    )) {
      for (const end of [from, to]) {
        const one = elements.get(end);
        if (one !== undefined && !ids.has(end)) ids.set(end, idFor(one));
      }
      const relation = spdxRelation(ids.get(from) ?? '', kind, ids.get(to) ?? '');
      if (ids.has(from) && ids.has(to)) relationships.set(JSON.stringify(relation), relation);
    }
    for (const { licenseId, extractedText } of document.hasExtractedLicensingInfos)
      texts.set(licenseId, (texts.get(licenseId) ?? new Set()).add(extractedText));
  }
  return {
    packages,
    relationships: [...relationships.values()],
    licenseTexts: new Map([...texts].map(([licenseId, all]) => [licenseId, [...all].join('\n\n')])),
  };
}

function describedBy({ documentDescribes, relationships }: PackageSbom): ReadonlySet<string> {
  const said = relationships.filter(
    (one) => one.spdxElementId === 'SPDXRef-DOCUMENT' && one.relationshipType === 'DESCRIBES',
  );
  return new Set([...documentDescribes, ...said.map((one) => one.relatedSpdxElement)]);
}

/** Relationships between elements that lead on from some, in the order of the document. */
function reachable({ relationships }: PackageSbom, from: ReadonlySet<string>): readonly SpdxRelationship[] {
  const leading = relationships.filter((one) => (kinds as readonly string[]).includes(one.relationshipType));
  const reached = new Set(from);
  for (let before = -1; before !== reached.size; ) {
    before = reached.size;
    for (const one of leading) if (reached.has(one.spdxElementId)) reached.add(one.relatedSpdxElement);
  }
  return leading.filter((one) => reached.has(one.spdxElementId));
}
