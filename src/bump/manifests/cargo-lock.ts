import semver from 'semver';
import { parse } from 'smol-toml';
import { z } from 'zod';

const lockSchema = z.object({ package: z.array(z.object({ name: z.string(), version: z.string() })).default([]) });

/** Versions of each crate that a `Cargo.lock` has, or undefined where it is none. A crate may be there at several. */
export function readCargoLock(text: string): ReadonlyMap<string, readonly string[]> | undefined {
  let lock: z.infer<typeof lockSchema>;
  try {
    lock = lockSchema.parse(parse(text));
  } catch {
    return undefined;
  }
  const crates = new Map<string, string[]>();
  for (const { name, version } of lock.package) crates.set(name, [...(crates.get(name) ?? []), version]);
  return crates;
}

/** Order of two versions of crates, or undefined where one is none. */
export function compareCargoVersions(a: string, b: string): -1 | 0 | 1 | undefined {
  const [one, other] = [semver.parse(a), semver.parse(b)];
  return one === null || other === null ? undefined : semver.compare(one, other);
}

/** Whether Cargo takes one for the other (`^`): the same first number that is not 0. */
export function areCompatible(a: string, b: string): boolean {
  const [one, other] = [semver.parse(a), semver.parse(b)];
  if (one === null || other === null || one.major !== other.major) return false;
  if (one.major !== 0) return true;
  return one.minor === other.minor && (one.minor !== 0 || one.patch === other.patch);
}
