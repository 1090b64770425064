import { RegrowError } from '../../errors.ts';
import { sha256 } from '../../model/canonical.ts';
import type {
  PushOptions,
  Registries,
  RegistryBlob,
  RegistryManifest,
  RegistryRepository,
} from '../../ports/registry.ts';
import { createDispatcher } from '../network/dispatcher.ts';
import { createNetworkGuard, hostsOf } from '../network/guard.ts';
import type { RegistryCredentials } from './credentials.ts';
import { mismatch, refused, unexpected } from './failure.ts';
import {
  createTransport,
  type RegistryQuestion,
  shownUrl,
  type Transport,
  type TransportOptions,
} from './transport.ts';
import { sendBlob } from './upload.ts';

const defaultChunkSize = 16 * 1024 * 1024;
/** How often an upload that a registry lost begins again. */
const mostBeginnings = 3;
/** What a registry answers that has no such list: 404 by the specification, and what others do. */
const unknowing: ReadonlySet<number> = new Set([400, 404, 405]);
const referrersType = 'application/vnd.oci.image.index.v1+json';
const manifestTypes = [
  referrersType,
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

export interface RegistriesOptions extends Pick<TransportOptions, 'userAgent' | 'wait'> {
  /** Addresses that the operator names: they may be private. */
  readonly addresses: readonly string[];
  /** Other private hosts that they may lead to, as `createNetworkGuard` reads them. */
  readonly allowPrivate?: readonly string[];
  /** By host, `HOST` or `HOST:PORT`. Default: nobody. */
  readonly credentials?: (host: string) => RegistryCredentials | undefined;
  /** Bytes sent at a time and held in memory. Default 16 MiB. */
  readonly chunkSize?: number;
}

/** What is known of one registry. */
interface Known {
  readonly transport: Transport;
  /** By digest: a repository of the registry that has the blob. */
  readonly blobs: Map<string, string>;
}

/** Registries over HTTP. Connections go only where the guard of networks lets them go. Throws config.invalid. */
export function createRegistries(options: RegistriesOptions): Registries {
  const { addresses, allowPrivate = [], credentials = () => undefined, chunkSize = defaultChunkSize } = options;
  const dispatcher = createDispatcher(createNetworkGuard([...allowPrivate, ...hostsOf(addresses)]));
  const registries = new Map<string, Known>();
  return {
    repository(address, name) {
      const url = new URL(address);
      let known = registries.get(url.origin);
      if (known === undefined) {
        known = { transport: createTransport(url, { ...options, dispatcher, credentials }), blobs: new Map() };
        registries.set(url.origin, known);
      }
      return createRepository(url.origin, name, known, chunkSize);
    },
  };
}

function createRepository(
  origin: string,
  name: string,
  { transport, blobs }: Known,
  chunkSize: number,
): RegistryRepository {
  const base = `${origin}/v2/${name}`;
  const own = [`repository:${name}:pull,push`];

  function ask(question: Omit<RegistryQuestion, 'scopes' | 'signal'>, signal?: AbortSignal, scopes = own) {
    return transport.ask({ ...question, scopes, signal });
  }

  /** Whether it is there, with the size that it has to have. */
  async function hasBlob({ digest, size }: RegistryBlob, signal?: AbortSignal): Promise<boolean> {
    const answer = await ask({ method: 'HEAD', url: `${base}/blobs/${digest}` }, signal);
    if (answer.status === 404) return false;
    if (answer.status !== 200) throw unexpected(answer, 'whether it has a blob');
    checkDigest(answer.url, answer.headers, digest);
    const length = answer.headers['content-length'];
    if (length !== undefined && Number(length) !== size)
      throw mismatch(`${shownUrl(answer.url)} has ${length} bytes; ${digest} has ${size}`);
    blobs.set(digest, name);
    return true;
  }

  async function begin(digest: string, signal?: AbortSignal) {
    const from = blobs.get(digest);
    const uploads = `${base}/blobs/uploads/`;
    if (from === undefined || from === name) return ask({ method: 'POST', url: uploads, ...nothing }, signal);
    const mount = `${uploads}?${new URLSearchParams({ mount: digest, from }).toString()}`;
    return ask({ method: 'POST', url: mount, ...nothing }, signal, [...own, `repository:${from}:pull`]);
  }

  return {
    async pushBlob(blob, { signal, onProgress }: PushOptions = {}) {
      for (let beginnings = 1; ; beginnings += 1) {
        if (await hasBlob(blob, signal)) return beginnings === 1 ? 'there' : 'pushed';
        const begun = await begin(blob.digest, signal);
        if (begun.status === 201) {
          checkDigest(begun.url, begun.headers, blob.digest);
          blobs.set(blob.digest, name);
          return 'mounted';
        }
        if (begun.status !== 202) throw unexpected(begun, `an upload of ${blob.digest}`);
        const shared = { transport, scopes: own, chunkSize };
        const sent = await sendBlob(blob, begun, {
          ...shared,
          ...(signal === undefined ? {} : { signal }),
          ...(onProgress === undefined ? {} : { onProgress }),
        });
        if (sent) {
          blobs.set(blob.digest, name);
          return 'pushed';
        }
        if (beginnings >= mostBeginnings) throw refused(begun, `loses every upload of ${blob.digest}`);
      }
    },

    async manifest(reference, { signal }: PushOptions = {}) {
      const answer = await ask(
        { method: 'GET', url: `${base}/manifests/${reference}`, headers: { accept: manifestTypes } },
        signal,
      );
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw unexpected(answer, 'what a manifest says');
      const digest = `sha256:${sha256(answer.body)}`;
      if (reference.startsWith('sha256:') && reference !== digest)
        throw mismatch(`${shownUrl(answer.url)} answers with ${digest}`);
      checkDigest(answer.url, answer.headers, digest);
      return { mediaType: (answer.headers['content-type'] ?? '').split(';', 1)[0] ?? '', bytes: answer.body };
    },

    async referrers(digest, { signal }: PushOptions = {}) {
      const headers = { accept: referrersType };
      const asked = ask({ method: 'GET', url: `${base}/referrers/${digest}`, headers }, signal);
      // Some forbid what they do not know; who may not read at all is told so by the next question.
      const answer = await asked.catch((thrown: unknown) => {
        if (thrown instanceof RegrowError && thrown.code === 'registry.unauthorized') return undefined;
        throw thrown;
      });
      if (answer === undefined || unknowing.has(answer.status)) return undefined;
      if (answer.status !== 200) throw unexpected(answer, 'what refers to a manifest');
      // A page in place of a list is of a registry that does not know what it is asked.
      const [type] = (answer.headers['content-type'] ?? '').split(';', 1);
      return type?.trim() === referrersType ? answer.body : undefined;
    },

    async pushManifest(manifest: RegistryManifest, tag?: string, options: PushOptions = {}) {
      const digest = `sha256:${sha256(manifest.bytes)}`;
      const reference = tag ?? digest;
      const there = await this.manifest(reference, options);
      if (there !== undefined && `sha256:${sha256(there.bytes)}` === digest) return;
      const answer = await ask(
        {
          method: 'PUT',
          url: `${base}/manifests/${reference}`,
          headers: { 'content-type': manifest.mediaType },
          body: manifest.bytes,
        },
        options.signal,
      );
      if (answer.status !== 201 && answer.status !== 202) throw unexpected(answer, `the manifest ${digest}`);
      checkDigest(answer.url, answer.headers, digest);
      // Read back: whoever pulls is to get what was pushed.
      const now = await this.manifest(reference, options);
      const found = now === undefined ? 'nothing' : `sha256:${sha256(now.bytes)}`;
      if (found !== digest) throw mismatch(`${base}/manifests/${reference} is ${found} after ${digest} was pushed`);
    },
  };
}

const nothing = { headers: { 'content-length': '0' } };

function checkDigest(url: string, headers: Readonly<Record<string, string>>, digest: string): void {
  const said = headers['docker-content-digest'];
  if (said !== undefined && said !== digest) throw mismatch(`${shownUrl(url)} calls ${digest} ${said}`);
}
