import { createHash } from 'node:crypto';
import { attachmentsKey, attachmentsSchema } from '../../src/model/attachment.ts';
import type { Generation } from '../../src/model/publication.ts';
import { imageCatalogueSchema } from '../../src/model/publication.ts';
import type { TargetName } from '../../src/model/target.ts';
import { blobKey, type ObjectReader } from '../../src/ports/objects.ts';
import { checkLayer, readStoredImage } from '../../src/publish/image/read.ts';
import { generationsPrefix, readCurrent, readGeneration, readPackages } from '../../src/publish/manifest.ts';

/** What is wrong with a store, for people; empty for a whole one. */
export async function damageOf(objects: ObjectReader): Promise<readonly string[]> {
  const damage: string[] = [];
  const current = (await readCurrent(objects))?.generation;
  const kept: Generation[] = current === undefined ? [] : [current];
  for (const key of await objects.list(generationsPrefix)) {
    const generation = await readGeneration(objects, Number(/(\d+)\.json$/.exec(key)?.[1]));
    if (generation !== undefined) kept.push(generation);
  }
  for (const generation of kept) {
    for (const what of await generationDamage(objects, generation))
      damage.push(`generation ${generation.generation}: ${what}`);
  }
  const catalogue = await objects.get('images/current');
  const { images } =
    catalogue === undefined
      ? { images: [] }
      : imageCatalogueSchema.parse(JSON.parse(Buffer.from(catalogue.bytes).toString()));
  for (const { ref, digest } of images) {
    try {
      await checkImage(objects, ref, digest.replace('sha256:', ''));
    } catch (thrown) {
      damage.push(`image ${ref}: ${String(thrown)}`);
    }
  }
  return damage;
}

/** Text of a blob that is what its digest says. */
async function blobText(objects: ObjectReader, hex: string): Promise<string> {
  const object = await objects.get(blobKey(hex));
  if (object === undefined) throw new Error(`blob ${hex} is not there`);
  if (createHash('sha256').update(object.bytes).digest('hex') !== hex) throw new Error(`blob ${hex} is damaged`);
  return Buffer.from(object.bytes).toString();
}

/** Index, list and packages are there, and what each package was built from, with what that was built with. */
async function generationDamage(objects: ObjectReader, generation: Generation): Promise<string[]> {
  const damage: string[] = [];
  for (const [target, { index }] of Object.entries(generation.targets)) {
    try {
      await blobText(objects, index);
      for (const { digest, provenance } of await readPackages(objects, generation, target as TargetName)) {
        await blobText(objects, digest);
        if (provenance !== undefined) await checkInputs(objects, await blobText(objects, provenance));
      }
    } catch (thrown) {
      damage.push(`${target}: ${String(thrown)}`);
    }
  }
  return damage;
}

async function checkInputs(objects: ObjectReader, envelope: string): Promise<void> {
  const { payload } = JSON.parse(envelope) as { payload: string };
  const statement = JSON.parse(Buffer.from(payload, 'base64').toString()) as {
    predicate: { buildDefinition: { internalParameters: { request: string } } };
  };
  const key = `inputs/${statement.predicate.buildDefinition.internalParameters.request}.json`;
  const inputs = await objects.get(key);
  if (inputs === undefined) throw new Error(`${key} is not there`);
  const { environment } = JSON.parse(Buffer.from(inputs.bytes).toString()) as {
    environment: { packages: { key: string }[] };
  };
  for (const one of environment.packages)
    if (!(await objects.has(one.key))) throw new Error(`${one.key}, which ${key} names, is not there`);
}

interface Named {
  readonly digest: string;
}

/** All that who pulls an image, and verifies it, asks for. */
async function checkImage(objects: ObjectReader, ref: string, index: string): Promise<void> {
  const { platforms } = await readStoredImage(objects, ref, index);
  for (const { layers, diffIds, sbom, descriptor } of platforms) {
    for (const [i, layer] of layers.entries()) await checkLayer(objects, ref, layer, diffIds[i] ?? '');
    await blobText(objects, sbom.replace('sha256:', ''));
    await checkAttached(objects, descriptor.digest.replace('sha256:', ''));
  }
  await checkAttached(objects, index);
}

async function checkAttached(objects: ObjectReader, hex: string): Promise<void> {
  const object = await objects.get(attachmentsKey(hex));
  if (object === undefined) throw new Error(`nothing is attached to ${hex}`);
  const { sig, att, referrers } = attachmentsSchema.parse(JSON.parse(Buffer.from(object.bytes).toString()));
  for (const one of [sig, att, ...referrers.map(({ digest }) => digest.replace('sha256:', ''))]) {
    const manifest = JSON.parse(await blobText(objects, one)) as Record<'config', Named> & Record<'layers', Named[]>;
    for (const { digest } of [manifest.config, ...manifest.layers])
      await blobText(objects, digest.replace('sha256:', ''));
  }
}
