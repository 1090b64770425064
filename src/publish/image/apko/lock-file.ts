import { z } from 'zod';
import type { Apk } from '../../../formats/apk.ts';
import { imageInvalid } from '../root.ts';

/** What `apko lock` writes (apko `pkg/lock`), as far as it is looked at. */
const lockFileSchema = z.object({
  contents: z.object({
    packages: z.array(
      z.object({
        name: z.string(),
        version: z.string(),
        /** `Q1…` of the control member. */
        checksum: z.string(),
      }),
    ),
  }),
});

/**
 * Compares what apko locked with what regrow solved: the same packages, of the same bytes. Throws image.invalid for any
 * difference, since what the catalogue and the attestations say of the image would not be true.
 */
export function checkLock(ref: string, text: string, packages: readonly Pick<Apk, 'info' | 'checksum'>[]): void {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const lock = lockFileSchema.safeParse(json);
  if (!lock.success) {
    throw imageInvalid(
      `the lock file that apko wrote for ${ref} cannot be read`,
      'use the apko of scripts/setup --engines',
    );
  }
  const label = (one: { readonly name: string; readonly version: string; readonly checksum: string }) =>
    `${one.name}-${one.version} (${one.checksum})`;
  const locked = new Set(lock.data.contents.packages.map(label));
  const solved = new Set(packages.map(({ info, checksum }) => label({ ...info, checksum })));
  const more = [...locked].filter((one) => !solved.has(one));
  const less = [...solved].filter((one) => !locked.has(one));
  if (more.length === 0 && less.length === 0) return;
  const parts = [...more.map((one) => `it adds ${one}`), ...less.map((one) => `it leaves out ${one}`)];
  throw imageInvalid(
    `apko takes other packages for ${ref} than regrow: ${parts.join(', ')}`,
    'say what is meant in contents.packages, with a version where two packages provide a name',
    'contents.packages',
  );
}
