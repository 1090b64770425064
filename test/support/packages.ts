import type { Artifact, PackageInfo } from '../../src/model/artifact.ts';
import { sha256 } from '../../src/model/canonical.ts';
import type { ResolvedPackage, ResolvedRecipe } from '../../src/model/recipe/resolved.ts';
import type { TargetName } from '../../src/model/target.ts';

/** A package as the repository lists it; `checksum` and `digest` follow from what it is. */
export function artifactOf(
  info: Partial<PackageInfo> & { name: string; version: string },
  target: TargetName = 'x86_64-gnu',
): Artifact {
  const whole: PackageInfo = {
    arch: 'x86_64',
    size: 1,
    origin: info.name,
    description: '',
    url: '',
    commit: '',
    buildDate: 0,
    licenses: [],
    depends: [],
    provides: [],
    replaces: [],
    triggers: [],
    datahash: '',
    ...info,
  };
  const digest = sha256(JSON.stringify([whole, target]));
  return { info: whole, target, digest, bytes: 1, checksum: `Q1${digest.slice(0, 20)}` };
}

export function resolvedPackageOf(name: string, more: Partial<ResolvedPackage> = {}): ResolvedPackage {
  return {
    name,
    description: '',
    url: '',
    commit: '',
    licenses: [],
    depends: [],
    provides: [],
    replaces: [],
    options: { noProvides: false, noDepends: false, noCommands: false, noVersionedShlibDeps: false },
    scriptlets: {
      'pre-install': undefined,
      'post-install': undefined,
      'pre-deinstall': undefined,
      'post-deinstall': undefined,
      'pre-upgrade': undefined,
      'post-upgrade': undefined,
    },
    steps: [],
    ...more,
  };
}

export function resolvedRecipeOf(
  name: string,
  more: { version?: string; epoch?: number; builtWith?: readonly string[]; packages?: ResolvedRecipe['packages'] } = {},
): ResolvedRecipe {
  const { version = '1.0', epoch = 0 } = more;
  return {
    name,
    version,
    epoch,
    fullVersion: `${version}-r${epoch}`,
    arch: 'x86_64',
    forThisArch: true,
    environment: { packages: more.builtWith ?? [], variables: {} },
    packages: more.packages ?? [resolvedPackageOf(name)],
  };
}
