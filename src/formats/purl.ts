import type { BuildSource } from '../model/build.ts';

/** `pkg:apk/NAMESPACE/NAME@VERSION?arch=…&distro=…` (package-url type `apk`). */
export function apkPurl(facts: {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  readonly distribution: { readonly namespace: string; readonly version?: string };
}): string {
  const { namespace, version } = facts.distribution;
  const distro = version === undefined ? namespace : `${namespace}-${version}`;
  const path = [namespace.toLowerCase(), facts.name.toLowerCase()].map(encodeURIComponent).join('/');
  return `pkg:apk/${path}@${encodeURIComponent(facts.version)}?arch=${facts.arch}&distro=${encodeURIComponent(distro)}`;
}

/** `pkg:oci/NAME@sha256:HEX?arch=…` (package-url type `oci`). `digest`: `sha256:HEX`. */
export function ociPurl(name: string, digest: string, architecture: string | undefined): string {
  const short = name.slice(name.lastIndexOf('/') + 1).toLowerCase();
  const arch = architecture === undefined ? '' : `?arch=${architecture}`;
  return `pkg:oci/${encodeURIComponent(short)}@${encodeURIComponent(digest)}${arch}`;
}

/** A part of an address without its escapes; as it is written where they are none, as in `100%.tar.gz`. */
export function decodeName(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** What a repository is called: the last part of its address. */
function repositoryName(address: string): string {
  const last = address.replace(/\/+$/, '').split('/').at(-1) ?? '';
  return last.replace(/\.git$/, '') || 'source';
}

/** A repository at a version: of GitHub's own type where it is there, else generic with its address and commit. */
function repositoryPurl(address: string, version: string, commit: string): string {
  const github = /^https:\/\/github\.com\/([^/]+)\/([^/]+?)(?:\.git)?\/?$/.exec(address);
  if (github !== null) {
    const [, owner = '', repository = ''] = github;
    return `pkg:github/${owner.toLowerCase()}/${repository.toLowerCase()}@${encodeURIComponent(version)}`;
  }
  const place = encodeURIComponent(`git+${address}@${commit}`);
  return `pkg:generic/${encodeURIComponent(repositoryName(address))}@${encodeURIComponent(version)}?vcs_url=${place}`;
}

/** The purl of a source: of its repository, else generic with its address. */
export function sourcePurl(source: BuildSource): string {
  if (source.kind === 'git') {
    const { repository, tag, commit } = source;
    return repositoryPurl(repository, tag ?? commit, commit);
  }
  const { url, sha256 } = source;
  const file = (URL.canParse(url) && decodeName(new URL(url).pathname.split('/').at(-1) ?? '')) || 'source';
  const checksum = sha256 === undefined ? '' : `&checksum=sha256:${sha256}`;
  return `pkg:generic/${encodeURIComponent(file)}?download_url=${encodeURIComponent(url)}${checksum}`;
}

/** The purl of a recipe: its repository at its commit, and its path in there as the subpath. */
export function recipePurl(recipe: {
  readonly path: string;
  readonly repository: string;
  readonly commit: string;
}): string {
  const subpath = recipe.path.split('/').map(encodeURIComponent).join('/');
  return `${repositoryPurl(recipe.repository, recipe.commit, recipe.commit)}#${subpath}`;
}
