import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type PackageSbomFacts, writePackageSbom } from '../../../src/formats/package-sbom.ts';
import { sourcePurl } from '../../../src/formats/purl.ts';
import { hasValidators, violations } from '../../support/published-schemas.ts';

const facts: PackageSbomFacts = {
  name: 'libtally',
  version: '2.0.0-r1',
  arch: 'x86_64',
  origin: 'libtally',
  description: 'counts things',
  url: 'https://example.org',
  licenses: ['MIT', 'GPL-2.0-only OR BSD-3-Clause'],
  distribution: { namespace: 'box', name: 'Box Linux', version: '1' },
  recipe: { path: 'libtally.yaml', repository: 'https://github.com/box/os', commit: 'c'.repeat(40) },
  sources: [
    { kind: 'git', repository: 'https://github.com/Box/LibTally.git', tag: 'v2.0.0', commit: 'a'.repeat(40) },
    { kind: 'archive', url: 'https://example.org/dl/data-1.tar.gz', sha256: 'b'.repeat(64) },
  ],
  tools: ['regrow-host 1', 'gcc 12.2.0'],
  sourceDateEpoch: 1_700_000_000,
};

/** What the SPDX 2.3 schema asks of every document. */
const document = z.object({
  spdxVersion: z.literal('SPDX-2.3'),
  dataLicense: z.literal('CC0-1.0'),
  SPDXID: z.literal('SPDXRef-DOCUMENT'),
  name: z.string(),
  documentNamespace: z.url(),
  creationInfo: z.object({
    created: z.iso.datetime(),
    creators: z.array(z.string().regex(/^(Tool|Organization|Person): /)),
  }),
  documentDescribes: z.array(z.string()),
  packages: z.array(
    z.object({
      SPDXID: z.string().regex(/^SPDXRef-[A-Za-z0-9.-]+$/),
      name: z.string(),
      downloadLocation: z.string(),
      licenseDeclared: z.string(),
      externalRefs: z.array(z.object({ referenceLocator: z.string() })).optional(),
    }),
  ),
  hasExtractedLicensingInfos: z.array(z.object({ licenseId: z.string(), extractedText: z.string() })).optional(),
  relationships: z.array(
    z.object({ spdxElementId: z.string(), relationshipType: z.string(), relatedSpdxElement: z.string() }),
  ),
});

function read(text: string): z.infer<typeof document> {
  return document.parse(JSON.parse(text));
}

describe('an SPDX document', () => {
  it('says what the package is, what it was made from, and by what', () => {
    const { packages, relationships, creationInfo } = read(writePackageSbom(facts));
    expect(creationInfo).toEqual({
      created: '2023-11-14T22:13:20Z',
      creators: ['Tool: regrow', 'Organization: Box Linux'],
    });
    expect(packages.map((one) => [one.name, one.externalRefs?.[0]?.referenceLocator])).toEqual([
      ['libtally', 'pkg:apk/box/libtally@2.0.0-r1?arch=x86_64&distro=box-1'],
      ['box', undefined],
      ['libtally.yaml', `pkg:github/box/os@${'c'.repeat(40)}#libtally.yaml`],
      ['LibTally.git', 'pkg:github/box/libtally@v2.0.0'],
      [
        'data-1.tar.gz',
        `pkg:generic/data-1.tar.gz?download_url=https%3A%2F%2Fexample.org%2Fdl%2Fdata-1.tar.gz&checksum=sha256:${'b'.repeat(64)}`,
      ],
    ]);
    expect(packages[0]?.licenseDeclared).toBe('MIT AND (GPL-2.0-only OR BSD-3-Clause)');
    expect(relationships.map((one) => one.relationshipType)).toEqual([
      'DESCRIBES',
      'CONTAINS',
      'DESCRIBED_BY',
      'GENERATED_FROM',
      'GENERATED_FROM',
    ]);
  });

  it('points at elements that are there', () => {
    const { packages, relationships, documentDescribes } = read(writePackageSbom(facts));
    const ids = new Set(['SPDXRef-DOCUMENT', ...packages.map((one) => one.SPDXID)]);
    expect(ids.size).toBe(packages.length + 1);
    for (const one of relationships)
      expect([ids.has(one.spdxElementId), ids.has(one.relatedSpdxElement)]).toEqual([true, true]);
    expect(documentDescribes.every((id) => ids.has(id))).toBe(true);
  });

  it('is the same text for the same facts', () => {
    expect(writePackageSbom(facts)).toBe(writePackageSbom(structuredClone(facts)));
  });

  it('has a namespace that no other package, version or build shares', () => {
    const others = [
      facts,
      { ...facts, name: 'libother' },
      { ...facts, arch: 'aarch64' },
      { ...facts, tools: [] },
      { ...facts, sources: [] },
    ];
    expect(new Set(others.map((one) => read(writePackageSbom(one)).documentNamespace)).size).toBe(others.length);
  });

  it('does not pass off what is no licence expression as one', () => {
    expect(read(writePackageSbom({ ...facts, licenses: ['see "COPYING"'] })).packages[0]?.licenseDeclared).toBe(
      'NOASSERTION',
    );
  });

  it('has the text of a licence that SPDX does not know, or says that it is not known', () => {
    const licenses = ['LicenseRef-Tally', 'MIT OR LicenseRef-Other'];
    const licenseTexts = new Map([['LicenseRef-Tally', 'Count as you like.']]);
    expect(read(writePackageSbom({ ...facts, licenses, licenseTexts })).hasExtractedLicensingInfos).toEqual([
      {
        licenseId: 'LicenseRef-Other',
        extractedText: 'The recipe names this licence LicenseRef-Other and does not say where its text is.',
      },
      { licenseId: 'LicenseRef-Tally', extractedText: 'Count as you like.' },
    ]);
  });

  it('has ids made of what the elements are: documents of several packages can be put into one', () => {
    const ids = (more: Partial<PackageSbomFacts>) =>
      new Set(read(writePackageSbom({ ...facts, ...more })).packages.map((one) => one.SPDXID));
    const [own, other] = [ids({}), ids({ name: 'lib_tally', sources: facts.sources.slice(1) })];
    // The distribution, the recipe, and the source that both are made from.
    expect([...own].filter((id) => other.has(id))).toEqual([
      'SPDXRef-OperatingSystem',
      `SPDXRef-Recipe-libtally.yaml-${'c'.repeat(40)}`,
      expect.stringMatching(/^SPDXRef-Source-data-1\.tar\.gz-[0-9a-f]{12}$/),
    ]);
    expect([...other]).toContain('SPDXRef-Package-libC95tally-2.0.0-r1');
    expect([...own]).toContain('SPDXRef-Package-libtally-2.0.0-r1');
  });

  it('names a source once that is fetched twice', () => {
    const [source] = facts.sources;
    if (source === undefined) throw new Error('there is no source');
    const { packages, relationships } = read(writePackageSbom({ ...facts, sources: [source, { ...source }] }));
    expect(packages.length).toBe(4);
    expect(relationships.filter((one) => one.relationshipType === 'GENERATED_FROM').length).toBe(1);
  });

  it('says nothing of a repository that is not known', () => {
    const recipe = { path: 'libtally.yaml', commit: 'c'.repeat(40) };
    const one = read(writePackageSbom({ ...facts, recipe })).packages[2];
    expect([one?.name, one?.downloadLocation, one?.externalRefs]).toEqual(['libtally.yaml', 'NOASSERTION', undefined]);
  });

  it('names a git source that is not on GitHub by its address', () => {
    expect(sourcePurl({ kind: 'archive', url: 'https://example.org/100%.tar.gz' })).toMatch(
      /^pkg:generic\/100%25\.tar\.gz\?/,
    );
    expect(sourcePurl({ kind: 'git', repository: 'https://git.example.org/a/tool.git', commit: 'abc' })).toBe(
      'pkg:generic/tool@abc?vcs_url=git%2Bhttps%3A%2F%2Fgit.example.org%2Fa%2Ftool.git%40abc',
    );
  });
});

describe.runIf(hasValidators())('held to the published schema and by the validator of the SPDX project', () => {
  const good = writePackageSbom({
    ...facts,
    licenses: ['MIT', 'LicenseRef-Tally'],
    sources: [
      ...facts.sources,
      { kind: 'git', repository: 'https://git.example.org/a/tool.git', commit: 'd'.repeat(64) },
    ],
  });

  it('a document is right', () => {
    expect(violations([{ name: 'good', kind: 'spdx', text: good }])).toEqual({ good: [] });
  });

  it('one that was changed in any of these ways is not', () => {
    const changes: Readonly<Record<string, (text: string) => string>> = {
      'another version': (text) => text.replace('SPDX-2.3', 'SPDX-2.9'),
      'no namespace': (text) => text.replace('"documentNamespace"', '"documentNameSpace"'),
      'an id with an underscore': (text) => text.replaceAll('SPDXRef-Package-libtally', 'SPDXRef-Package_libtally'),
      'an element that is not there': (text) => text.replace('"SPDXID": "SPDXRef-Recipe', '"SPDXID": "SPDXRef-Recipes'),
      'a checksum that is none': (text) => text.replace('b'.repeat(64), 'b'.repeat(63)),
      'an unknown relationship': (text) => text.replace('GENERATED_FROM', 'MADE_FROM'),
      'an unknown purpose': (text) => text.replace('OPERATING_SYSTEM', 'KERNEL'),
      'a licence of nobody': (text) => text.replace('MIT AND', 'MINE AND'),
      'a licence without its text': (text) =>
        text.replace('"licenseId": "LicenseRef-Tally"', '"licenseId": "LicenseRef-T"'),
      'a date that is none': (text) => text.replace('2023-11-14T22:13:20Z', '14 November 2023'),
      'a creator of no kind': (text) => text.replace('"Tool: regrow"', '"regrow"'),
      'a purl of no category': (text) => text.replace('"PACKAGE-MANAGER"', '"PACKAGE"'),
    };
    const found = violations(
      Object.entries(changes).map(([name, change]) => ({ name, kind: 'spdx', text: change(good) })),
    );
    expect(Object.keys(found)).toEqual(Object.keys(changes));
    expect(Object.entries(found).filter(([, wrong]) => wrong.length === 0)).toEqual([]);
  });
});
