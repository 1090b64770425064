import { createHash, createPublicKey } from 'node:crypto';
import { z } from 'zod';
import { RegrowError } from '../errors.ts';
import { canonicalJson } from '../model/canonical.ts';
import { type DsseEnvelope, dsseEnvelopeSchema } from './dsse.ts';

/** Sigstore's bundle (sigstore/protobuf-specs `sigstore_bundle.proto`), version 0.3, as JSON. */
export const bundleMediaType = 'application/vnd.dev.sigstore.bundle.v0.3+json';

const rawBytes = z.object({ rawBytes: z.base64() });
const bundleSchema = z.object({
  mediaType: z.string().startsWith('application/vnd.dev.sigstore.bundle'),
  verificationMaterial: z.object({
    certificate: rawBytes.optional(),
    x509CertificateChain: z.object({ certificates: z.array(rawBytes).min(1) }).optional(),
    tlogEntries: z
      .array(
        z.object({
          logIndex: z.string().regex(/^\d+$/),
          logId: z.object({ keyId: z.base64() }),
          integratedTime: z.string().regex(/^\d+$/).default('0'),
          inclusionPromise: z.object({ signedEntryTimestamp: z.base64() }).optional(),
          canonicalizedBody: z.base64(),
        }),
      )
      .default([]),
    timestampVerificationData: z
      .object({ rfc3161Timestamps: z.array(z.object({ signedTimestamp: z.base64() })).default([]) })
      .optional(),
  }),
  messageSignature: z.object({ signature: z.base64() }).optional(),
  dsseEnvelope: dsseEnvelopeSchema.optional(),
});

/** Who signed, and who saw it. */
export interface SigstoreWitness {
  /** Of the signer, by Fulcio: PEM. */
  readonly certificate: string;
  /** In the transparency log. */
  readonly entry:
    | {
        /** Base64. */
        readonly body: string;
        /** Seconds since 1970. */
        readonly integratedTime: number;
        readonly logIndex: number;
        /** Hex. */
        readonly logId: string;
        /** The log's signature that the entry is taken in, base64; logs of the second version give none. */
        readonly promise: string | undefined;
      }
    | undefined;
  /** Of a timestamp authority (RFC 3161), base64. */
  readonly timestamp: string | undefined;
}

export interface SigstoreBundle extends SigstoreWitness {
  /** Of bytes, or of the first signature of an envelope: base64. */
  readonly signature: string;
  /** The text of the envelope as the log has seen it; undefined for a signature of bytes. */
  readonly envelope: string | undefined;
}

function malformed(what: string, cause?: unknown): RegrowError {
  return new RegrowError('sigstore.refused', `what Sigstore gave is no bundle: ${what}`, { retry: 'later', cause });
}

function pem(base64: string): string {
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/(.{64})(?!$)/g, '$1\n')}\n-----END CERTIFICATE-----\n`;
}

/** Takes a bundle with a certificate apart. Errors: sigstore.refused. */
export function readSigstoreBundle(text: string): SigstoreBundle {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw malformed('not JSON', cause);
  }
  const { data, error } = bundleSchema.safeParse(json);
  if (data === undefined) throw malformed(z.prettifyError(error), error);
  const { verificationMaterial: material, messageSignature, dsseEnvelope } = data;
  const certificate = material.certificate ?? material.x509CertificateChain?.certificates[0];
  const signature = messageSignature?.signature ?? dsseEnvelope?.signatures[0]?.sig;
  if (certificate === undefined || signature === undefined) throw malformed('it has no certificate or no signature');
  const [entry] = material.tlogEntries;
  return {
    certificate: pem(certificate.rawBytes),
    signature,
    // The order of the keys is kept by JSON.parse: these are the bytes whose hash is in the log.
    envelope: dsseEnvelope === undefined ? undefined : JSON.stringify((json as { dsseEnvelope: object }).dsseEnvelope),
    entry:
      entry === undefined
        ? undefined
        : {
            body: entry.canonicalizedBody,
            integratedTime: Number(entry.integratedTime),
            logIndex: Number(entry.logIndex),
            logId: Buffer.from(entry.logId.keyId, 'base64').toString('hex'),
            promise: entry.inclusionPromise?.signedEntryTimestamp,
          },
    timestamp: material.timestampVerificationData?.rfc3161Timestamps[0]?.signedTimestamp,
  };
}

/** The bundle of an envelope that a key signed, which nobody witnessed. `publicKey`: PEM. */
export function keyBundle(publicKey: string, { payloadType, payload, signatures }: DsseEnvelope): string {
  const der = createPublicKey(publicKey).export({ type: 'spki', format: 'der' });
  return canonicalJson({
    mediaType: bundleMediaType,
    verificationMaterial: { publicKey: { hint: createHash('sha256').update(der).digest('base64') }, tlogEntries: [] },
    dsseEnvelope: { payloadType, payload, signatures: signatures.map(({ sig }) => ({ sig })) },
  });
}
