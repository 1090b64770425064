import { z } from 'zod';
import { readGzipMember } from '../../../formats/gzip.ts';
import { digestHex, type OciDescriptor, type OciProcess, ociMediaTypes } from '../../../formats/oci.ts';
import { readTar } from '../../../formats/tar-reader.ts';
import { sha256 } from '../../../model/canonical.ts';
import { imageInvalid, type Root } from '../root.ts';

/** What apko leaves in a folder: one manifest with its configuration and layers. */
export interface ApkoImage {
  readonly manifest: OciDescriptor;
  readonly process: OciProcess;
  readonly layers: readonly OciDescriptor[];
  /** Manifest, configuration and layers by digest (hex). */
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  /** The layers, one over the other; device nodes, which are the container runtime's, are not in it. */
  readonly root: Root;
}

const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const descriptorSchema = z.object({ mediaType: z.string(), digest: digestSchema, size: z.number().int() });
const indexSchema = z.object({
  manifests: z.tuple([
    descriptorSchema.extend({
      mediaType: z.literal(ociMediaTypes.manifest),
      platform: z.object({ architecture: z.string(), os: z.string(), variant: z.string().optional() }),
    }),
  ]),
});
const manifestSchema = z.object({
  config: descriptorSchema,
  layers: z.array(descriptorSchema.extend({ mediaType: z.literal(ociMediaTypes.layer) })).min(1),
});
const configSchema = z.object({
  config: z.object({
    User: z.string().optional(),
    Env: z.array(z.string()).default([]),
    Entrypoint: z.array(z.string()).optional(),
    Cmd: z.array(z.string()).optional(),
    WorkingDir: z.string().optional(),
  }),
});

/**
 * Reads the OCI layout that `apko build` wrote for one platform; every blob is what its digest says. `read` gives a file by its path
 * in the layout. Throws image.invalid.
 */
export async function readApkoLayout(ref: string, read: (path: string) => Promise<Uint8Array>): Promise<ApkoImage> {
  const wrong = (what: string) =>
    imageInvalid(`what apko wrote for ${ref} is no image: ${what}`, 'use the apko of scripts/setup --engines');
  const blobs = new Map<string, Uint8Array>();
  const blob = async (named: { readonly digest: string; readonly size: number }) => {
    const hex = digestHex(named);
    const bytes = await read(`blobs/sha256/${hex}`);
    if (sha256(bytes) !== hex || bytes.length !== named.size) throw wrong(`${named.digest} is something else`);
    blobs.set(hex, bytes);
    return bytes;
  };
  const parse = <T>(what: string, bytes: Uint8Array, schema: z.ZodType<T>): T => {
    try {
      return schema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    } catch (cause) {
      throw wrong(`${what} does not read: ${cause instanceof z.ZodError ? cause.issues[0]?.message : 'no JSON'}`);
    }
  };

  const [descriptor] = parse('its index', await read('index.json'), indexSchema).manifests;
  const manifest = parse('its manifest', await blob(descriptor), manifestSchema);
  const { config } = parse('its configuration', await blob(manifest.config), configSchema);
  const root: Root = new Map();
  for (const layer of manifest.layers) {
    for (const entry of readTar(readGzipMember(await blob(layer)).content, { devices: 'skip' }).entries) {
      const { path, type, mode, link, content } = entry;
      root.set(path, { path, type, mode, content, ...(link === undefined ? {} : { link }) });
    }
  }
  const { mediaType, digest, size, platform } = descriptor;
  const { architecture, os, variant } = platform;
  return {
    manifest: {
      mediaType,
      digest,
      size,
      platform: variant === undefined ? { architecture, os } : { architecture, os, variant },
    },
    process: processOf(config),
    layers: manifest.layers,
    blobs,
    root,
  };
}

function processOf({ User, Env, Entrypoint, Cmd, WorkingDir }: z.infer<typeof configSchema>['config']): OciProcess {
  return {
    Env,
    ...(User === undefined ? {} : { User }),
    ...(Entrypoint === undefined ? {} : { Entrypoint }),
    ...(Cmd === undefined ? {} : { Cmd }),
    ...(WorkingDir === undefined ? {} : { WorkingDir }),
  };
}
