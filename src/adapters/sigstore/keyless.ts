import { bundleToJSON } from '@sigstore/bundle';
import {
  type BundleBuilder,
  DSSEBundleBuilder,
  InternalError,
  MessageSignatureBundleBuilder,
  RekorWitness,
  TSAWitness,
  type Witness,
} from '@sigstore/sign';
import { RegrowError } from '../../errors.ts';
import type { Keyless } from '../../ports/sigstore.ts';
import { createCertifiedSigner } from './certified-signer.ts';

/** Milliseconds for one question, and how often it is put again. */
const defaultTimeout = 20_000;
const retries = 1;

export interface KeylessOptions {
  readonly fulcioUrl: string;
  readonly rekorUrl: string;
  /** Version of Rekor's interface. One of version 2 gives no time, which a timestamp authority has to give then. */
  readonly rekorVersion: number;
  readonly timestampUrl?: string;
  /** The identity token of now. */
  readonly identity: () => Promise<string>;
  /** Milliseconds for one question. Default 20 s. */
  readonly timeout?: number;
}

/** Keyless signing with the public services of Sigstore, or one's own, through the libraries of sigstore-js. */
export function createKeyless(options: KeylessOptions): Keyless {
  const { identity, timeout = defaultTimeout } = options;
  const asked = { timeout, retry: { retries } };
  const signer = createCertifiedSigner({
    ...asked,
    fulcioBaseURL: bare(options.fulcioUrl),
    identityProvider: { getToken: identity },
  });
  const witnesses: Witness[] = [
    new RekorWitness({
      ...asked,
      rekorBaseURL: bare(options.rekorUrl),
      majorApiVersion: options.rekorVersion,
      fetchOnConflict: true,
    }),
  ];
  if (options.timestampUrl !== undefined) {
    witnesses.push(new TSAWitness({ ...asked, tsaBaseURL: bare(options.timestampUrl) }));
  }

  async function make(
    builder: BundleBuilder,
    artifact: Parameters<BundleBuilder['create']>[0],
    signal: AbortSignal | undefined,
  ): Promise<string> {
    try {
      return JSON.stringify(bundleToJSON(await untilAborted(builder.create(artifact), signal)));
    } catch (thrown) {
      throw failureOf(thrown, signal);
    }
  }

  return {
    sign: (bytes, signal) =>
      make(new MessageSignatureBundleBuilder({ signer, witnesses }), { data: Buffer.from(bytes) }, signal),
    attest: (type, payload, signal) =>
      make(new DSSEBundleBuilder({ signer, witnesses }), { data: Buffer.from(payload), type }, signal),
  };
}

/** Its paths come behind the address. */
function bare(url: string): string {
  return url.replace(/\/+$/, '');
}

/** The libraries know no signal: what they are asking for is left alone, and ends by its timeout. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  work.catch(() => undefined);
  signal.throwIfAborted();
  let leave = () => {};
  const aborted = new Promise<never>((_, reject) => {
    const abort = () => reject(new DOMException('aborted', 'AbortError'));
    signal.addEventListener('abort', abort, { once: true });
    leave = () => signal.removeEventListener('abort', abort);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    leave();
  }
}

const services: Readonly<Record<string, string>> = {
  CA_CREATE_SIGNING_CERTIFICATE_ERROR: 'Fulcio',
  TLOG_CREATE_ENTRY_ERROR: 'Rekor',
  TLOG_FETCH_ENTRY_ERROR: 'Rekor',
  TSA_CREATE_TIMESTAMP_ERROR: 'the timestamp authority',
};

function failureOf(thrown: unknown, signal: AbortSignal | undefined): RegrowError {
  if (signal?.aborted === true) {
    return new RegrowError('aborted', 'stopped signing', { retry: 'now', cause: thrown });
  }
  const code = thrown instanceof InternalError ? thrown.code : '';
  if (code === 'IDENTITY_TOKEN_PARSE_ERROR') {
    // Neither its message nor its cause: the token is in it.
    return new RegrowError(
      'sigstore.identity',
      'the identity token names nobody: it has neither sub nor verified email',
      {
        retry: 'later',
        remedy: 'use a token of an issuer that Fulcio knows',
      },
    );
  }
  const service = services[code] ?? 'Sigstore';
  const cause: unknown = thrown instanceof InternalError ? thrown.cause : thrown;
  // What the identity says of why it has no token.
  if (cause instanceof RegrowError) return cause;
  const status = statusOf(cause);
  const why = shown(cause instanceof Error ? cause.message : String(cause));
  if (status !== undefined && status < 500 && status !== 408 && status !== 429) {
    return new RegrowError('sigstore.refused', `${service} refuses: ${why}`, {
      retry: 'later',
      cause: thrown,
      remedy: 'look at what it says: the token may be expired, or of an issuer or audience that it does not know',
    });
  }
  return new RegrowError('sigstore.unreachable', `${service} does not answer: ${why}`, {
    retry: 'later',
    cause: thrown,
    remedy: 'check publish.sigstore and the network; it is tried again by itself',
  });
}

/** Everybody can read why; what a service says may be of any length, and have the identity token in it that it was given. */
function shown(why: string): string {
  return why
    .slice(0, 2000)
    .replaceAll(/eyJ[\w-]+(?:\.[\w-]+)*/g, '(a token)')
    .slice(0, 300);
}

/** Of an answer over HTTP, whose error the libraries do not give a name. */
function statusOf(cause: unknown): number | undefined {
  return cause instanceof Error && 'statusCode' in cause && typeof cause.statusCode === 'number'
    ? cause.statusCode
    : undefined;
}
