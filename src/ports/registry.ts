import type { RegrowError } from '../errors.ts';

/** A blob to push, read from its beginning each time. */
export interface RegistryBlob {
  /** `sha256:HEX` */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  read(): Promise<AsyncIterable<Uint8Array>>;
}

export interface RegistryManifest {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

export interface PushOptions {
  readonly signal?: AbortSignal;
  /** Told after every piece of a blob: bytes that the registry has, of how many. */
  readonly onProgress?: (digest: string, done: number, size: number) => void;
  /** Told of what the registry does not take and the image can be without: registry.refused. */
  readonly onRefused?: (error: RegrowError) => void;
}

/** One repository of a registry, to be pushed to. */
export interface RegistryRepository {
  /** Brings a blob there; one that is there is left, one that another repository of the registry has is mounted. */
  pushBlob(blob: RegistryBlob, options?: PushOptions): Promise<'there' | 'mounted' | 'pushed'>;
  /** The manifest of a tag or digest; undefined where there is none. */
  manifest(reference: string, options?: PushOptions): Promise<RegistryManifest | undefined>;
  /** The list of what refers to a manifest, as JSON; undefined where the registry keeps no such lists. */
  referrers(digest: string, options?: PushOptions): Promise<Uint8Array | undefined>;
  /** Puts a manifest under its digest, or under a tag, unless that is what is there. */
  pushManifest(manifest: RegistryManifest, tag?: string, options?: PushOptions): Promise<void>;
}

/**
 * Registries of images, by the OCI distribution specification 1.1. Errors: registry.unauthorized, registry.refused,
 * registry.unreachable, registry.digest-mismatch (what it says that it has is not what it was given), repository.corrupt (a blob
 * of ours is not what its digest says), upstream.address-refused, upstream.redirect-refused, aborted.
 */
export interface Registries {
  /** `address`: `https://HOST[:PORT]`, as the configuration names it. `name`: as the specification spells it, `team/jq`. */
  repository(address: string, name: string): RegistryRepository;
}
