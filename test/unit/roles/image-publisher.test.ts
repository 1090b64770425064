import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createExec } from '../../../src/adapters/exec.ts';
import { createFsObjects } from '../../../src/adapters/objects/fs.ts';
import { parseImageDefinition } from '../../../src/model/image-definition.ts';
import type { ImageRequest } from '../../../src/model/request.ts';
import type { Objects } from '../../../src/ports/objects.ts';
import { type AssembledImage, assembleImage, readAttachments } from '../../../src/publish/image/index.ts';
import { storeRequest, storeResult } from '../../../src/roles/effects.ts';
import { publishImage } from '../../../src/roles/image-publisher.ts';
import { createChildProver, type Prove } from '../../../src/roles/verifier.ts';
import { apkFile } from '../../support/apk-file.ts';
import { liar, publishForProof } from '../../support/image-liar.ts';
import { createTestImageSigner } from '../../support/test-signer.ts';

const at = '2026-06-01T09:00:00.000Z';
const file = { path: 'i.yaml', text: 'contents: {packages: [tool]}\nentrypoint: {command: /usr/bin/tool}\n' };
const signer = createTestImageSigner();
let directory: string;
let objects: Objects;
let image: ImageRequest;
let made: AssembledImage;
let lie: ReturnType<typeof liar>;
/** The child's answers, counted. */
let asked: number;
let prove: Prove;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'regrow-prove-'));
  objects = await createFsObjects(directory);
  const files = [await apkFile('tool-2-r0', { 'usr/bin/tool': { text: 'tool', mode: 0o755 } })];
  image = await publishForProof(objects, files, file);
  const { definition } = parseImageDefinition(file.path, file.text);
  const target = { arch: 'x86_64', libc: 'gnu' } as const;
  const { keys, sourceDateEpoch } = image;
  made = await assembleImage({ name: 'i', definition, target, packages: files, keys, sourceDateEpoch });
  lie = liar(objects, made, files);
  const child = createChildProver({ exec: createExec(), objects: directory });
  asked = 0;
  prove = async (...claim) => {
    asked += 1;
    await child(...claim);
  };
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Publishes what a builder says that it made. */
async function publish(change: Parameters<typeof lie.index>[0], vulnerabilities: string[] = []) {
  const index = await lie.index(change);
  const { manifests } = JSON.parse(Buffer.from(await blob(index)).toString()) as { manifests: { digest: string }[] };
  await storeResult(objects, {
    kind: 'image-built',
    effect: 'image-e',
    at,
    name: 'i',
    index,
    blobs: [],
    platforms: manifests.map(({ digest }) => ({ target: 'x86_64-gnu', manifest: digest, output: '' })),
  });
  const request = {
    kind: 'image-publish',
    image: await storeRequest(objects, image),
    result: 'image-e',
    vulnerabilities,
  } as const;
  return { index, publication: await publishImage({ objects, signer, prove }, request, { at }) };
}

async function blob(hex: string): Promise<Uint8Array> {
  return (await objects.get(`blobs/sha256/${hex.slice(0, 2)}/${hex}`))?.bytes ?? new Uint8Array();
}

test('an image of its packages is signed and tagged, and looked at once', async () => {
  const { index, publication } = await publish({});
  expect(publication).toMatchObject({ ref: 'i:latest', digest: `sha256:${index}` });
  expect((await readAttachments(objects, { digest: `sha256:${index}` }))?.signed).toHaveLength(1);
  await publish({}, ['CVE-2026-1']);
  expect(asked).toBe(1);
});

test.each<[string, Parameters<ReturnType<typeof liar>['index']>[0], string]>([
  [
    'a file more',
    { layer: (all) => [...all, { path: 'usr/bin/x', type: 'file', mode: 0o755 }] },
    '/usr/bin/x in its layer sha256:',
  ],
  [
    'other bytes',
    {
      layer: (all) => all.map((one) => (one.path === 'usr/bin/tool' ? { ...one, content: Buffer.from('evil') } : one)),
    },
    '/usr/bin/tool in its layer sha256:',
  ],
  [
    'a setuid bit',
    { layer: (all) => all.map((one) => (one.path === 'usr/bin/tool' ? { ...one, mode: 0o4755 } : one)) },
    'has the mode 4755, not 755',
  ],
  ['another SBOM', { sbom: (json) => json.replace('"tool"', '"other"') }, 'is not the one of its packages'],
])('an image with %s is neither signed nor tagged', async (_, change, message) => {
  const refused = {
    code: 'image.invalid',
    message: expect.stringContaining(message),
    remedy: expect.stringContaining('builder'),
  };
  await expect(publish(change)).rejects.toMatchObject(refused);
  expect(asked).toBe(1);
  expect(await objects.get('images/current')).toBeUndefined();
  expect(await objects.list('images/attached/')).toEqual([]);
});

test('a signature that is not of our key does not make an image a known one', async () => {
  const { index } = await publish({});
  const key = `images/attached/${index}.json`;
  const kept = Buffer.from((await objects.get(key))?.bytes ?? []).toString();
  await objects.remove('images/current');
  const other = createTestImageSigner();
  await expect(
    publishImage(
      { objects, signer: other, prove },
      { kind: 'image-publish', image: await storeRequest(objects, image), result: 'image-e', vulnerabilities: [] },
      { at },
    ),
  ).resolves.toMatchObject({ digest: `sha256:${index}` });
  expect(asked).toBe(2);
  // One that says to be of our key, and is not.
  await objects.put(key, Buffer.from(kept.replace(/("dev.cosignproject.cosign\/signature":")[^"]{8}/, '$1AAAAAAAA')));
  await publish({});
  expect(asked).toBe(3);
});
