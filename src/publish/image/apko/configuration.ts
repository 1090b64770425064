import type { ImageFile } from '../../../model/image-schema.ts';
import { type Arch, ociArch } from '../../../model/target.ts';

/** The architecture as apko's configuration and options have it: `amd64`, `arm/v7`. */
export function apkoArch(arch: Arch): string {
  const { architecture, variant } = ociArch(arch);
  return variant === undefined ? architecture : `${architecture}/${variant}`;
}

/** Where apko looks for a file of a repository (apko `Architecture.ToAPK`): it calls i386 x86. */
export function snapshotPath(path: string): string {
  return path.replace(/^i386\//, 'x86/');
}

/** For an image that is told of no repository: apko wants one line, and for apk this is none. */
const noRepository = '# no repository';

/**
 * The configuration that apko is given for one platform, as JSON, which its YAML reader takes: the definition with every
 * package of the solved set pinned. Repositories are what the image is told of, not what it is made from: they become
 * `runtime_repositories`, since apko would ask any other over the network. Keys that apko does not know are left out, because it refuses them.
 */
export function apkoConfiguration(file: ImageFile, packages: readonly string[], arch: Arch): string {
  const { contents, entrypoint, accounts, archs: _archs, format: _format, include: _include, ...rest } = file;
  const { repositories = [], runtime_repositories = [], runtime_keyring = [] } = contents ?? {};
  const told = [...new Set([...repositories, ...runtime_repositories])];
  const configuration = {
    ...rest,
    contents: { packages, runtime_repositories: told.length === 0 ? [noRepository] : told, runtime_keyring },
    entrypoint,
    accounts,
    archs: [apkoArch(arch)],
  };
  return JSON.stringify(configuration, (_key, value: unknown) => (isEmpty(value) ? undefined : value), 2);
}

/** A list or mapping that says nothing: older versions of apko refuse keys that they do not know, empty or not. */
function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((one) => one === undefined || isEmpty(one))
  );
}
