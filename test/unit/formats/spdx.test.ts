import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type SpdxFacts, sourcePurl, writeSpdx } from '../../../src/formats/spdx.ts';

const facts: SpdxFacts = {
  name: 'libtally',
  version: '2.0.0-r1',
  arch: 'x86_64',
  origin: 'libtally',
  description: 'counts things',
  url: 'https://example.org',
  licenses: ['MIT', 'GPL-2.0-only OR BSD-3-Clause'],
  distribution: { namespace: 'box', name: 'Box Linux', version: '1' },
  recipe: { path: 'libtally.yaml', repository: 'https://github.com/box/os', commit: 'c0ffee' },
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
  relationships: z.array(
    z.object({ spdxElementId: z.string(), relationshipType: z.string(), relatedSpdxElement: z.string() }),
  ),
});

function read(text: string): z.infer<typeof document> {
  return document.parse(JSON.parse(text));
}

describe('an SPDX document', () => {
  it('says what the package is, what it was made from, and by what', () => {
    const { packages, relationships, creationInfo } = read(writeSpdx(facts));
    expect(creationInfo).toEqual({
      created: '2023-11-14T22:13:20Z',
      creators: ['Tool: regrow', 'Organization: Box Linux'],
    });
    expect(packages.map((one) => [one.name, one.externalRefs?.[0]?.referenceLocator])).toEqual([
      ['libtally', 'pkg:apk/box/libtally@2.0.0-r1?arch=x86_64&distro=box-1'],
      ['box', undefined],
      ['libtally.yaml', undefined],
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
    const { packages, relationships, documentDescribes } = read(writeSpdx(facts));
    const ids = new Set(['SPDXRef-DOCUMENT', ...packages.map((one) => one.SPDXID)]);
    expect(ids.size).toBe(packages.length + 1);
    for (const one of relationships)
      expect([ids.has(one.spdxElementId), ids.has(one.relatedSpdxElement)]).toEqual([true, true]);
    expect(documentDescribes.every((id) => ids.has(id))).toBe(true);
  });

  it('is the same text for the same facts', () => {
    expect(writeSpdx(facts)).toBe(writeSpdx(structuredClone(facts)));
  });

  it('has a namespace that no other package, version or build shares', () => {
    const others = [
      facts,
      { ...facts, name: 'libother' },
      { ...facts, arch: 'aarch64' },
      { ...facts, tools: [] },
      { ...facts, sources: [] },
    ];
    expect(new Set(others.map((one) => read(writeSpdx(one)).documentNamespace)).size).toBe(others.length);
  });

  it('does not pass off what is no licence expression as one', () => {
    expect(read(writeSpdx({ ...facts, licenses: ['see "COPYING"'] })).packages[0]?.licenseDeclared).toBe('NOASSERTION');
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
