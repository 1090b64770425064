import type { z } from 'zod';
import { RegrowError } from '../errors.ts';
import type { Artifact } from '../model/artifact.ts';
import { type Attachments, attachmentsKey, attachmentsSchema } from '../model/attachment.ts';
import { type Collection, collectionKey, collectionSchema, dryCollectionKey } from '../model/collection.ts';
import {
  type Generation,
  generationSchema,
  type ImageCatalogue,
  imageCatalogueSchema,
  publishedPackagesSchema,
} from '../model/publication.ts';
import { parseTarget, type TargetName, targetName } from '../model/target.ts';
import { blobKey, type ObjectReader } from '../ports/objects.ts';

/** What is published now, read from the object store; it alone is the truth of it. */
export interface RepositoryView {
  /** The newest generation; undefined before the first. */
  current(): Promise<Generation | undefined>;
  /** An older generation by its number; undefined where it is no longer kept. */
  generation(number: number): Promise<Generation | undefined>;
  /** The packages of one target in a generation, sorted by name; empty where the generation has no such target. */
  packages(generation: Generation, target: TargetName): Promise<readonly Artifact[]>;
  /** One published package file by its name in the repository, `NAME-VERSION-rN.apk`. */
  file(generation: Generation, target: TargetName, fileName: string): Promise<Artifact | undefined>;
  images(): Promise<ImageCatalogue>;
  /** The last collection of what nothing uses; `dry`: the last one that only looked. */
  collection(dry: boolean): Promise<Collection | undefined>;
  /** What is attached to a manifest of an image, by its digest (hex). */
  attachments(subject: string): Promise<Attachments | undefined>;
}

interface PackageList {
  readonly packages: readonly Artifact[];
  readonly byFile: ReadonlyMap<string, Artifact>;
}

/** The name of a package's file in a repository. */
export function packageFileName(artifact: Artifact): string {
  return `${artifact.info.name}-${artifact.info.version}.apk`;
}

export function generationTargets(generation: Generation): TargetName[] {
  return Object.keys(generation.targets)
    .map((name) => targetName(parseTarget(name as TargetName)))
    .sort();
}

async function readJson<T>(
  objects: ObjectReader,
  key: string,
  schema: z.ZodType<T>,
): Promise<{ value: T; etag: string } | undefined> {
  const object = await objects.get(key);
  if (object === undefined) return undefined;
  try {
    const json: unknown = JSON.parse(Buffer.from(object.bytes).toString('utf8'));
    return { value: schema.parse(json), etag: object.etag };
  } catch (cause) {
    throw new RegrowError('repository.corrupt', `${key} in the object store is not what regrow wrote`, {
      file: key,
      cause,
      remedy: 'restore the object from a backup',
    });
  }
}

/**
 * Reads through to the object store. Package lists are content by digest, so the last few that were read are kept; the
 * pointers are read each time.
 */
export function createRepositoryView(objects: ObjectReader, keep = 16): RepositoryView {
  const lists = new Map<string, Promise<PackageList>>();

  async function load(digest: string): Promise<PackageList> {
    const key = blobKey(digest);
    const read = await readJson(objects, key, publishedPackagesSchema);
    if (read === undefined) {
      throw new RegrowError('repository.corrupt', `the package list ${key} is not in the object store`, { file: key });
    }
    return { packages: read.value, byFile: new Map(read.value.map((one) => [packageFileName(one), one])) };
  }

  async function list(generation: Generation, target: TargetName): Promise<PackageList | undefined> {
    const digest = generation.targets[target]?.packages;
    if (digest === undefined) return undefined;
    let found = lists.get(digest);
    if (found === undefined) {
      found = load(digest);
      lists.set(digest, found);
      found.catch(() => lists.delete(digest));
      const oldest = lists.keys().next();
      if (lists.size > keep && oldest.done !== true) lists.delete(oldest.value);
    }
    return found;
  }

  return {
    async current() {
      return (await readJson(objects, 'repository/current', generationSchema))?.value;
    },
    async generation(number) {
      return (await readJson(objects, `repository/generations/${number}.json`, generationSchema))?.value;
    },
    async packages(generation, target) {
      return (await list(generation, target))?.packages ?? [];
    },
    async file(generation, target, fileName) {
      return (await list(generation, target))?.byFile.get(fileName);
    },
    async attachments(subject) {
      return (await readJson(objects, attachmentsKey(subject), attachmentsSchema))?.value;
    },
    async collection(dry) {
      return (await readJson(objects, dry ? dryCollectionKey : collectionKey, collectionSchema))?.value;
    },
    async images() {
      return (await readJson(objects, 'images/current', imageCatalogueSchema))?.value ?? { schema: 1, images: [] };
    },
  };
}
