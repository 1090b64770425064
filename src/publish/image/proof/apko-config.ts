import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { digestHex } from '../../../formats/oci.ts';
import { sha256 } from '../../../model/canonical.ts';
import { blobKey, type ObjectReader } from '../../../ports/objects.ts';
import type { LaidOutImage } from '../assemble.ts';
import { type StoredPlatform, wrong } from '../read.ts';

/** Every key that apko writes: another one, a health check or a command for builds, would be the builder's. */
const schema = z.object({
  config: z.strictObject({
    User: z.string().optional(),
    Env: z.array(z.string()).default([]),
    Entrypoint: z.array(z.string()).optional(),
    Cmd: z.array(z.string()).optional(),
    WorkingDir: z.string().optional(),
    StopSignal: z.string().optional(),
    Volumes: z.record(z.string(), z.strictObject({})).optional(),
    Labels: z.record(z.string(), z.string()).optional(),
  }),
});

/** Looks whether the configuration of an image starts what its definition says. Labels are not looked at. Errors: image.invalid. */
export async function proveApkoConfig(
  objects: ObjectReader,
  ref: string,
  { config: named }: StoredPlatform,
  { process }: LaidOutImage,
): Promise<void> {
  const bytes = (await objects.get(blobKey(digestHex(named))))?.bytes ?? new Uint8Array();
  const parsed =
    sha256(bytes) === digestHex(named) ? schema.safeParse(JSON.parse(Buffer.from(bytes).toString())) : undefined;
  const config = parsed?.data?.config;
  if (config === undefined)
    throw wrong(
      ref,
      `its configuration ${named.digest} is not one of apko: ${parsed?.error?.issues[0]?.message ?? 'damaged'}`,
    );
  const [user] = process.User?.split(':') ?? [];
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['Entrypoint', config.Entrypoint ?? [], process.Entrypoint ?? []],
    ['Cmd', config.Cmd ?? [], process.Cmd ?? []],
    ['WorkingDir', config.WorkingDir ?? '', process.WorkingDir ?? ''],
    ['StopSignal', config.StopSignal ?? '', process.StopSignal ?? ''],
    ['Volumes', config.Volumes ?? {}, process.Volumes ?? {}],
    ['User', config.User?.split(':')[0], user],
    ['Env', environment(config.Env), environment(process.Env)],
  ];
  const other = pairs.find(([, found, wanted]) => !isDeepStrictEqual(found, wanted));
  if (other === undefined) return;
  const [field, found, wanted] = other;
  throw wrong(
    ref,
    `${field} in its configuration ${named.digest} is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`,
  );
}

/** The two engines have the folders of PATH in another order. */
function environment(entries: readonly string[]): readonly string[] {
  const folders = (entry: string) => `PATH=${entry.slice('PATH='.length).split(':').toSorted().join(':')}`;
  return entries.map((entry) => (entry.startsWith('PATH=') ? folders(entry) : entry)).toSorted();
}
