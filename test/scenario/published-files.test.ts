import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { runDemo } from '../../src/demo/run.ts';
import { readIndexFile } from '../support/independent/index-file.ts';
import { type PackageFile, readPackageFile } from '../support/independent/package.ts';
import { readProvenance } from '../support/independent/provenance.ts';
import { type PublishedRepository, readPublished } from '../support/independent/repository.ts';
import { opensslVerifies } from '../support/independent/signature.ts';
import { readSpdxDocument } from '../support/independent/spdx.ts';
import { hasValidators, type PublishedDocument, violations } from '../support/published-schemas.ts';

/** Milliseconds that a telling of the demo's story may take. */
const patience = 240_000;
const folder = mkdtempSync(join(tmpdir(), 'regrow-published-'));
const directory = join(folder, 'demo');
let first: PublishedRepository;

/** The whole story of the demo; told-twice.test.ts tells it on two clocks. */
beforeAll(async () => {
  await runDemo({ directory, once: true, port: 0, say: () => undefined, signal: new AbortController().signal });
  first = readPublished(join(directory, 'state/objects'));
}, patience);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Every published package of every target, taken apart by the independent reader. */
function packages(): readonly { target: string; file: string; bytes: Buffer; read: PackageFile }[] {
  return [...first.targets].flatMap(([target, { packages: files }]) =>
    [...files].map(([file, bytes]) => ({ target, file, bytes, read: readPackageFile(bytes) })),
  );
}

function sbomOf({ entries, info }: PackageFile): string {
  const path = `var/lib/db/sbom/${info.get('pkgname')?.[0]}-${info.get('pkgver')?.[0]}.spdx.json`;
  return entries.find((entry) => entry.path === path)?.content.toString('utf8') ?? '';
}

describe('every package and index that the demo publishes', () => {
  it('is there for both C libraries, the same packages for each', () => {
    const lists = [...first.targets].map(([target, { packages: files }]) => [target, [...files.keys()]] as const);
    expect(lists.map(([target]) => target.split('-')[1])).toEqual(['gnu', 'musl']);
    // Of the C library the version is the machine's.
    const [gnu, musl] = lists.map(([, files]) => files.filter((file) => !file.startsWith('host-libc')));
    expect(gnu).toEqual(musl);
    expect(gnu).toEqual(expect.arrayContaining(['beacon-1.2.1-r0.apk', 'count-1.2.0-r1.apk', 'libtally-2.0.0-r0.apk']));
  });

  it('is read by a reader that shares no code with the writer, and openssl verifies its signature', () => {
    for (const { file, read } of packages()) {
      expect(`${read.info.get('pkgname')?.[0]}-${read.info.get('pkgver')?.[0]}.apk`).toBe(file);
      for (const signature of read.signatures) {
        const key = first.keys.get(signature.key) ?? '';
        expect([file, opensslVerifies(signature, key)]).toEqual([file, true]);
      }
    }
    for (const [target, { index }] of first.targets) {
      const { signatures } = readIndexFile(index);
      for (const signature of signatures)
        expect([target, opensslVerifies(signature, first.keys.get(signature.key) ?? '')]).toEqual([target, true]);
    }
  });

  it('has no signature any more once a byte of what is signed has changed', () => {
    const [one] = packages();
    const [signature] = one?.read.signatures ?? [];
    if (signature === undefined) throw new Error('no package is signed');
    const signed = Buffer.from(signature.signed);
    signed.writeUInt8(signed.readUInt8(20) ^ 1, 20);
    expect(opensslVerifies({ ...signature, signed }, first.keys.get(signature.key) ?? '')).toBe(false);
  });

  it('is in the index of its target as it is, and the index lists nothing else', () => {
    for (const [target, { index, packages: files }] of first.targets) {
      const { entries } = readIndexFile(index);
      const listed = entries.map((fields) => `${fields.get('P')}-${fields.get('V')}.apk`);
      expect(listed.toSorted()).toEqual([...files.keys()].toSorted());
      for (const fields of entries) {
        const bytes = files.get(`${fields.get('P')}-${fields.get('V')}.apk`) ?? Buffer.alloc(0);
        const { checksum, info } = readPackageFile(bytes);
        const one = (key: string) => info.get(key)?.[0];
        expect(Object.fromEntries(fields)).toEqual({
          C: checksum,
          P: one('pkgname'),
          V: one('pkgver'),
          A: target.split('-')[0],
          S: String(bytes.length),
          I: one('size'),
          T: one('pkgdesc'),
          ...(one('url') === '' ? {} : { U: one('url') }),
          ...(info.has('license') ? { L: info.get('license')?.join(' AND ') } : {}),
          o: one('origin'),
          t: one('builddate'),
          ...(one('commit') === '' ? {} : { c: one('commit') }),
          ...(info.has('depend') ? { D: info.get('depend')?.join(' ') } : {}),
          ...(info.has('provides') ? { p: info.get('provides')?.join(' ') } : {}),
          ...(info.has('provider_priority') ? { k: one('provider_priority') } : {}),
        });
      }
    }
  });

  it('has provenance as in-toto and SLSA have it, of the file as it is published, signed as openssl verifies', () => {
    for (const [target, { packages: files, provenance }] of first.targets) {
      expect([...provenance.keys()]).toEqual([...files.keys()]);
      for (const [file, text] of provenance) {
        const { subject, predicate } = readProvenance(text, first.keys);
        expect(subject).toEqual([{ name: file, digest: { sha256: sha256(files.get(file) ?? Buffer.alloc(0)) } }]);
        expect(predicate.buildDefinition.externalParameters).toMatchObject({ target });
        const [recipe, ...others] = predicate.buildDefinition.resolvedDependencies ?? [];
        expect(recipe).toMatchObject({
          name: expect.stringMatching(/\.yaml$/),
          digest: { gitCommit: expect.any(String) },
        });
        for (const one of others) expect(Object.keys(one.digest ?? {})).not.toEqual([]);
      }
    }
  });

  it('carries an SBOM as SPDX 2.3 has it, of a namespace of its own', () => {
    const namespaces = packages().map(({ read, target }) => {
      const sbom = readSpdxDocument(sbomOf(read));
      expect(sbom.packages[0]).toMatchObject({
        name: read.info.get('pkgname')?.[0],
        versionInfo: read.info.get('pkgver')?.[0],
      });
      return `${target.split('-')[0]} ${sbom.documentNamespace}`;
    });
    expect(new Set(namespaces).size).toBe(namespaces.length);
  });
});

const imageIndex = z.object({
  manifests: z.array(z.object({ digest: z.string(), annotations: z.record(z.string(), z.string()).optional() })),
});
const imageManifest = z.object({
  config: z.object({ digest: z.string() }),
  layers: z.array(z.object({ digest: z.string() })),
});

describe('every image that the demo publishes', () => {
  it('is there whole, and its SBOMs are SPDX 2.3', () => {
    const namespaces: string[] = [];
    for (const digest of first.images.values()) {
      const { manifests } = imageIndex.parse(JSON.parse(first.blob(digest).toString()));
      for (const { digest: manifest, annotations } of manifests) {
        const { config, layers } = imageManifest.parse(JSON.parse(first.blob(manifest).toString()));
        for (const one of [config, ...layers]) expect(first.blob(one.digest).length).toBeGreaterThan(0);
        const sbom = annotations?.['dev.regrow.sbom'] ?? '';
        namespaces.push(readSpdxDocument(first.blob(sbom).toString()).documentNamespace);
      }
    }
    expect(namespaces.length).toBeGreaterThan(first.targets.size);
    expect(new Set(namespaces).size).toBe(namespaces.length);
  });
});

/** The statement in an envelope of DSSE. */
function statementIn(envelope: string): string {
  const { payload } = z.object({ payload: z.base64() }).parse(JSON.parse(envelope));
  return Buffer.from(payload, 'base64').toString('utf8');
}

/** Every SBOM and every statement, as they are published, of packages and of images. */
function documents(): readonly PublishedDocument[] {
  const found: PublishedDocument[] = packages().map(({ target, file, read }) => ({
    name: `SBOM of ${file} for ${target}`,
    kind: 'spdx',
    text: sbomOf(read),
  }));
  for (const [target, { provenance }] of first.targets) {
    for (const [file, text] of provenance)
      found.push({ name: `provenance of ${file} for ${target}`, kind: 'statement', text: statementIn(text) });
  }
  for (const [ref, digest] of first.images) {
    const { manifests } = imageIndex.parse(JSON.parse(first.blob(digest).toString()));
    for (const { digest: manifest, annotations } of manifests) {
      const text = first.blob(annotations?.['dev.regrow.sbom'] ?? '').toString();
      found.push({ name: `SBOM of ${manifest} of ${ref}`, kind: 'spdx', text });
    }
    for (const subject of [digest, ...manifests.map((one) => one.digest)]) {
      for (const [i, envelope] of first.attestations(subject).entries())
        found.push({
          name: `attestation ${i} of ${subject} of ${ref}`,
          kind: 'statement',
          text: statementIn(envelope),
        });
    }
  }
  return found;
}

describe.runIf(hasValidators())('every SBOM and statement that the demo publishes', () => {
  it('is right by its published schema and by the validator of those who wrote it', () => {
    const found = violations(documents());
    expect(Object.entries(found).filter(([, wrong]) => wrong.length > 0)).toEqual([]);
    const count = (what: string) => Object.keys(found).filter((name) => name.startsWith(what)).length;
    expect([count('SBOM'), count('provenance'), count('attestation')]).toEqual([
      packages().length + new Set(first.images.values()).size,
      packages().length,
      // An SPDX document and the pinned definition, of the index and of its one platform.
      4 * first.images.size,
    ]);
  });

  it('is not right any more once one thing of it has changed', () => {
    const [sbom, provenance, attestation] = ['SBOM', 'provenance', 'attestation'].map(
      (what) => documents().find(({ name }) => name.startsWith(what))?.text ?? '',
    );
    const changed: readonly PublishedDocument[] = [
      { name: 'relation', kind: 'spdx', text: sbom?.replace('"DESCRIBED_BY"', '"MADE_BY"') ?? '' },
      { name: 'element', kind: 'spdx', text: sbom?.replace('"SPDXID": "SPDXRef-Recipe', '"SPDXID": "SPDXRef-R') ?? '' },
      { name: 'subject', kind: 'statement', text: provenance?.replace('"subject"', '"subjects"') ?? '' },
      {
        name: 'digest',
        kind: 'statement',
        text: provenance?.replace(/"subject":\[\{"digest":\{[^}]*\}/, '"subject":[{"digest":{}') ?? '',
      },
      { name: 'builder', kind: 'statement', text: provenance?.replace(/"id":"[^"]*"/, '"id":""') ?? '' },
      {
        name: 'parameters',
        kind: 'statement',
        text: provenance?.replace('"externalParameters"', '"parameters"') ?? '',
      },
      { name: 'predicate', kind: 'statement', text: attestation?.replace('"predicateType"', '"type"') ?? '' },
    ];
    const found = violations(changed);
    expect(changed.map(({ name }) => [name, found[name]?.length !== 0])).toEqual(
      changed.map(({ name }) => [name, true]),
    );
  });
});
