import { z } from 'zod';

/**
 * What the published JSON schema of SPDX 2.3 (spdx-spec, tag v2.3, schemas/spdx-schema.json) asks of the objects that regrow
 * writes: the fields that may be there, those that must, the words of its enumerations. The schema itself has another licence
 * (CC-BY-3.0) and is not copied. The patterns are those of the text of the specification, which the schema leaves out.
 */
const id = z.string().regex(/^SPDXRef-[A-Za-z0-9.-]+$/);
const checksum = z.strictObject({
  algorithm: z.enum(['SHA1', 'SHA224', 'SHA256', 'SHA384', 'SHA512', 'SHA3-256', 'SHA3-384', 'SHA3-512', 'MD5']),
  checksumValue: z.string().regex(/^[0-9a-f]+$/),
});
const reference = z.strictObject({
  referenceCategory: z.enum(['OTHER', 'PERSISTENT-ID', 'SECURITY', 'PACKAGE-MANAGER']),
  referenceLocator: z.string().regex(/^pkg:[a-z]+\/[^\s]+$/),
  referenceType: z.literal('purl'),
  comment: z.string().optional(),
});
const purpose = z.enum([
  'OTHER',
  'INSTALL',
  'ARCHIVE',
  'FIRMWARE',
  'APPLICATION',
  'FRAMEWORK',
  'LIBRARY',
  'CONTAINER',
  'SOURCE',
  'DEVICE',
  'OPERATING_SYSTEM',
  'FILE',
]);
/** An address, a version control one (§7.7), or that there is none to say. */
const location = z.union([z.enum(['NOASSERTION', 'NONE']), z.string().regex(/^(git\+)?(https?|ssh|file):\/\/\S+$/)]);
const party = z.string().regex(/^(NOASSERTION$|(Organization|Person|Tool): \S)/);

const spdxPackage = z.strictObject({
  SPDXID: id,
  name: z.string().min(1),
  versionInfo: z.string().optional(),
  downloadLocation: location,
  filesAnalyzed: z.literal(false),
  licenseConcluded: z.string(),
  licenseDeclared: z.string(),
  copyrightText: z.string(),
  description: z.string().optional(),
  homepage: z.string().optional(),
  sourceInfo: z.string().optional(),
  supplier: party.optional(),
  originator: party.optional(),
  primaryPackagePurpose: purpose.optional(),
  checksums: z.array(checksum).optional(),
  externalRefs: z.array(reference).optional(),
});

const relationship = z.strictObject({
  spdxElementId: id,
  relatedSpdxElement: z.union([id, z.enum(['NOASSERTION', 'NONE'])]),
  relationshipType: z.enum(['DESCRIBES', 'DESCRIBED_BY', 'CONTAINS', 'GENERATED_FROM', 'VARIANT_OF', 'PACKAGE_OF']),
  comment: z.string().optional(),
});

const spdxDocument = z.strictObject({
  SPDXID: z.literal('SPDXRef-DOCUMENT'),
  spdxVersion: z.literal('SPDX-2.3'),
  dataLicense: z.literal('CC0-1.0'),
  name: z.string().min(1),
  documentNamespace: z.url().regex(/^[^#]+$/),
  creationInfo: z.strictObject({
    created: z.iso.datetime({ precision: 0 }),
    creators: z.array(party).min(1),
    comment: z.string().optional(),
    licenseListVersion: z.string().optional(),
  }),
  documentDescribes: z.array(id).min(1),
  packages: z.array(spdxPackage).min(1),
  relationships: z.array(relationship),
  hasExtractedLicensingInfos: z
    .array(
      z.strictObject({ licenseId: z.string().regex(/^LicenseRef-[A-Za-z0-9.-]+$/), extractedText: z.string().min(1) }),
    )
    .optional(),
});

export type SpdxDocument = z.infer<typeof spdxDocument>;

/** Reads an SPDX 2.3 document in JSON; every element has its own id, and whatever is pointed to is there. Throws what is wrong. */
export function readSpdxDocument(text: string): SpdxDocument {
  const document = spdxDocument.parse(JSON.parse(text));
  const ids = ['SPDXRef-DOCUMENT', ...document.packages.map(({ SPDXID }) => SPDXID)];
  const known = new Set(ids);
  if (known.size !== ids.length) throw new Error('two elements have one id');
  const pointed = document.relationships.flatMap((one) => [one.spdxElementId, one.relatedSpdxElement]);
  const missing = [...document.documentDescribes, ...pointed].filter((one) => !known.has(one));
  const licenses = new Set(document.hasExtractedLicensingInfos?.map(({ licenseId }) => licenseId));
  const named = document.packages.flatMap(
    ({ licenseDeclared }) => licenseDeclared.match(/LicenseRef-[A-Za-z0-9.-]+/g) ?? [],
  );
  const unknown = named.filter((license) => !licenses.has(license));
  if (unknown.length > 0) throw new Error(`${unknown.join(', ')} has no text`);
  if (missing.length > 0) throw new Error(`${missing.join(', ')} is pointed to and not there`);
  return document;
}
