import { describe, expect, it } from 'vitest';
import { readApk } from '../../../../src/formats/apk.ts';
import { digestHex, ociMediaTypes } from '../../../../src/formats/oci.ts';
import { type PackageSbomFacts, writePackageSbom } from '../../../../src/formats/package-sbom.ts';
import { sha256 } from '../../../../src/model/canonical.ts';
import { writeImageSbom, writeIndexSbom } from '../../../../src/publish/image/sbom.ts';
import { apkFile } from '../../../support/apk-file.ts';
import { readSpdxDocument } from '../../../support/independent/spdx.ts';
import { hasValidators, violations } from '../../../support/published-schemas.ts';

const manifest = {
  mediaType: ociMediaTypes.manifest,
  digest: `sha256:${'a'.repeat(64)}`,
  size: 1,
  platform: { os: 'linux', architecture: 'amd64' },
};
const layers = [{ mediaType: ociMediaTypes.layer, digest: `sha256:${'b'.repeat(64)}`, size: 2 }];
const commit = 'c'.repeat(40);

function packageSbom(name: string, more: Partial<PackageSbomFacts> = {}): string {
  return writePackageSbom({
    name,
    version: '1.0-r0',
    arch: 'x86_64',
    origin: 'tally',
    description: 'counts',
    url: 'https://example.org',
    licenses: ['MIT'],
    distribution: { namespace: 'box', name: 'Box Linux' },
    recipe: { path: 'tally.yaml', repository: 'https://github.com/box/os', commit },
    sources: [{ kind: 'archive', url: 'https://example.org/tally-1.0.tar.gz', sha256: 'd'.repeat(64) }],
    tools: [],
    sourceDateEpoch: 1_700_000_000,
    ...more,
  });
}

/** The text of an image's document; `sboms` of its packages by name, as they lie in the image. */
async function imageSbom(sboms: Readonly<Record<string, string | undefined>>, licenses = ['MIT']): Promise<string> {
  const files = await Promise.all(Object.keys(sboms).map((name) => apkFile(`${name}-1.0-r0`, {}, { licenses })));
  const texts: Readonly<Record<string, string | undefined>> = {
    'etc/os-release': 'ID=box\nNAME="Box Linux"\nVERSION_ID=3\n',
    ...Object.fromEntries(
      Object.entries(sboms).map(([name, text]) => [`var/lib/db/sbom/${name}-1.0-r0.spdx.json`, text]),
    ),
  };
  return writeImageSbom({
    name: 'i',
    manifest,
    layers,
    packages: files.map(readApk),
    read: (path) => texts[path],
    sourceDateEpoch: 1_700_000_000,
  });
}

function relations(text: string): readonly string[] {
  return readSpdxDocument(text).relationships.map(({ spdxElementId, relationshipType, relatedSpdxElement }) =>
    `${spdxElementId} ${relationshipType} ${relatedSpdxElement}`.replaceAll('SPDXRef-', ''),
  );
}

const recipeId = `Recipe-tally.yaml-${commit}`;

describe('the SPDX document of an image', () => {
  it('names each package by its purl and the sha256 of its file, and what its own document says it comes from', async () => {
    const text = await imageSbom({ tally: packageSbom('tally'), libtally: packageSbom('libtally', { sources: [] }) });
    const { packages } = readSpdxDocument(text);
    const file = await apkFile('libtally-1.0-r0', {}, { licenses: ['MIT'] });
    expect(packages.find(({ name }) => name === 'libtally')).toMatchObject({
      checksums: [{ algorithm: 'SHA256', checksumValue: sha256(file) }],
      externalRefs: [{ referenceLocator: 'pkg:apk/box/libtally@1.0-r0?arch=x86_64&distro=box-3' }],
    });
    const source = packages.find(({ name }) => name === 'tally-1.0.tar.gz')?.SPDXID.replace('SPDXRef-', '') ?? '';
    expect(packages.find(({ SPDXID }) => SPDXID.endsWith(source))?.checksums?.[0]?.checksumValue).toBe('d'.repeat(64));
    // Of one recipe, which is there once.
    expect(relations(text)).toEqual([
      'DOCUMENT DESCRIBES Image',
      `Image CONTAINS Layer-${'b'.repeat(64)}`,
      'Image CONTAINS OperatingSystem',
      'Image CONTAINS Package-libtally-1.0-r0',
      'Image CONTAINS Package-tally-1.0-r0',
      `Package-libtally-1.0-r0 DESCRIBED_BY ${recipeId}`,
      `Package-tally-1.0-r0 DESCRIBED_BY ${recipeId}`,
      `Package-tally-1.0-r0 GENERATED_FROM ${source}`,
    ]);
  });

  it('is the same whatever order the packages come in', async () => {
    const [a, b] = [packageSbom('tally'), packageSbom('other', { recipe: { path: 'other.yaml', commit } })];
    expect(await imageSbom({ tally: a, other: b })).toBe(await imageSbom({ other: b, tally: a }));
  });

  it('gives an id that two documents use for two things to one of them', async () => {
    const same = (repository: string) => packageSbom('tally', { recipe: { path: 'tally.yaml', repository, commit } });
    const two = same('https://github.com/other/os').replaceAll('Package-tally-1.0-r0', 'Package-libtally-1.0-r0');
    const text = await imageSbom({ libtally: two, tally: same('https://github.com/box/os') });
    expect(relations(text)).toContain(`Package-libtally-1.0-r0 DESCRIBED_BY ${recipeId}`);
    expect(relations(text)).toContain(`Package-tally-1.0-r0 DESCRIBED_BY ${recipeId}-2`);
  });

  it('has the packages also where their own documents are none, are not there, or say what SPDX has not', async () => {
    const strange = JSON.parse(packageSbom('strange', { recipe: { path: 'strange.yaml', commit } })) as {
      packages: Record<string, unknown>[];
    };
    for (const one of strange.packages) {
      one['primaryPackagePurpose'] = 'OPERATING-SYSTEM';
      one['supplier'] = 'Robot: R2';
      one['filesAnalyzed'] = true;
      one['checksums'] = [{ algorithm: 'CRC32', checksumValue: '00' }];
      one['more'] = { anything: true };
    }
    const text = await imageSbom({
      none: undefined,
      rubbish: '{"spdxVersion":',
      list: '[]',
      strange: JSON.stringify(strange),
      cycle: packageSbom('cycle').replace('"GENERATED_FROM"', '"CONTAINS"'),
    });
    const { packages } = readSpdxDocument(text);
    expect(packages.filter(({ SPDXID }) => SPDXID.startsWith('SPDXRef-Package-')).length).toBe(5);
    expect(relations(text)).toContain(`Package-strange-1.0-r0 DESCRIBED_BY Recipe-strange.yaml-${commit}`);
  });

  it.runIf(hasValidators())('is right by the published schema and the validator of the SPDX project', async () => {
    const licenses = ['LicenseRef-Tally'];
    const licenseTexts = new Map([['LicenseRef-Tally', 'Count as you like.']]);
    const documents = {
      plain: await imageSbom({ tally: packageSbom('tally'), libtally: packageSbom('libtally'), none: undefined }),
      licensed: await imageSbom({ tally: packageSbom('tally', { licenses, licenseTexts }), none: undefined }, licenses),
      index: writeIndexSbom({
        name: 'i',
        digest: manifest.digest,
        platforms: [{ digest: `sha256:${'e'.repeat(64)}`, architecture: 'amd64' }],
        sourceDateEpoch: 1_700_000_000,
      }),
    };
    expect(documents.licensed).toContain('Count as you like.');
    expect(readSpdxDocument(documents.licensed).hasExtractedLicensingInfos?.length).toBe(1);
    const found = violations(Object.entries(documents).map(([name, text]) => ({ name, kind: 'spdx', text })));
    expect(found).toEqual({ plain: [], licensed: [], index: [] });
    const changed = documents.plain.replace(`"checksumValue": "${digestHex(manifest)}"`, '"checksumValue": "zz"');
    expect(violations([{ name: 'changed', kind: 'spdx', text: changed }])['changed']).not.toEqual([]);
  });
});
