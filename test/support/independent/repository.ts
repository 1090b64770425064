import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** What is published of one target: files as clients download them. */
export interface PublishedTarget {
  readonly index: Buffer;
  /** By file name, `NAME-VERSION.apk`. */
  readonly packages: ReadonlyMap<string, Buffer>;
  /** By the same names, where a package has one: `NAME-VERSION.apk.intoto.jsonl`. */
  readonly provenance: ReadonlyMap<string, string>;
}

export interface PublishedRepository {
  readonly targets: ReadonlyMap<string, PublishedTarget>;
  /** Public keys, PEM, by their name in `/etc/apk/keys`. */
  readonly keys: ReadonlyMap<string, string>;
  /** Digest, `sha256:HEX`, of each image by its tag. */
  readonly images: ReadonlyMap<string, string>;
  /** DSSE envelopes (JSON) that are attached to a manifest of an image, `sha256:HEX`, as cosign finds them. */
  attestations(manifest: string): readonly string[];
  /** Content of a digest, `sha256:HEX` or hex alone; it is what the digest says. */
  blob(digest: string): Buffer;
}

const manifest = z.object({ targets: z.record(z.string(), z.object({ index: z.string(), packages: z.string() })) });
const packageList = z.array(
  z.object({
    digest: z.string(),
    provenance: z.string().optional(),
    info: z.object({ name: z.string(), version: z.string() }),
  }),
);
const attached = z.object({ att: z.string() });
const layered = z.object({ layers: z.array(z.object({ digest: z.string() })) });
const catalogue = z.object({ images: z.array(z.object({ ref: z.string(), digest: z.string() })) });

function parse(bytes: Buffer): unknown {
  return JSON.parse(bytes.toString('utf8'));
}

/** Reads what an object store, a folder, has published: through its files, as the documentation of the store describes them. */
export function readPublished(folder: string): PublishedRepository {
  const read = (key: string) => readFileSync(join(folder, key));
  const blob = (digest: string): Buffer => {
    const hex = digest.replace(/^sha256:/, '');
    const bytes = read(`blobs/sha256/${hex.slice(0, 2)}/${hex}`);
    if (createHash('sha256').update(bytes).digest('hex') !== hex) throw new Error(`blob ${hex} is something else`);
    return bytes;
  };
  const keys = readdirSync(join(folder, 'repository/keys'));
  const targets = Object.entries(manifest.parse(parse(read('repository/current'))).targets).map(
    ([target, { index, packages }]): [string, PublishedTarget] => {
      const list = packageList.parse(parse(blob(packages)));
      const files = list.map(({ info, digest }): [string, Buffer] => [
        `${info.name}-${info.version}.apk`,
        blob(digest),
      ]);
      const provenance = list.flatMap(({ info, provenance: digest }): [string, string][] =>
        digest === undefined ? [] : [[`${info.name}-${info.version}.apk`, blob(digest).toString('utf8')]],
      );
      return [target, { index: blob(index), packages: new Map(files), provenance: new Map(provenance) }];
    },
  );
  const { images } = catalogue.parse(parse(read('images/current')));
  return {
    targets: new Map(targets),
    keys: new Map(keys.map((name) => [name, read(`repository/keys/${name}`).toString('utf8')])),
    images: new Map(images.map(({ ref, digest }) => [ref, digest])),
    attestations(subject) {
      const { att } = attached.parse(parse(read(`images/attached/${subject.replace(/^sha256:/, '')}.json`)));
      return layered.parse(parse(blob(att))).layers.map(({ digest }) => blob(digest).toString('utf8'));
    },
    blob,
  };
}
