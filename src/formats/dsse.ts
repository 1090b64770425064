import { verify } from 'node:crypto';
import { z } from 'zod';
import { RegrowError } from '../errors.ts';
import type { Signer } from '../ports/signer.ts';
import type { PublicKey } from './signature-member.ts';

/** A DSSE v1 envelope (secure-systems-lab/dsse `envelope.md`): a payload and the signatures of it and its type. */
export const dsseEnvelopeSchema = z.object({
  payloadType: z.string().min(1),
  /** Base64. */
  payload: z.base64(),
  signatures: z.array(z.object({ keyid: z.string().optional(), sig: z.base64() })).min(1),
});

export type DsseEnvelope = z.infer<typeof dsseEnvelopeSchema>;

/** What is signed, `PAE(type, payload)` (`protocol.md`): lengths in bytes make it unambiguous. */
function preAuthentication(payloadType: string, payload: Uint8Array): Buffer {
  const type = Buffer.from(payloadType, 'utf8');
  const head = `DSSEv1 ${type.length} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head, 'utf8'), payload]);
}

/** Wraps a payload, signed by each signer over its type and bytes. Same input and RSA keys, same envelope. */
export function signDsse(
  payloadType: string,
  payload: Uint8Array,
  signers: readonly Pick<Signer, 'keyName' | 'sign'>[],
): DsseEnvelope {
  const signed = preAuthentication(payloadType, payload);
  return {
    payloadType,
    payload: Buffer.from(payload).toString('base64'),
    signatures: signers.map(({ keyName, sign }) => ({
      keyid: keyName,
      sig: Buffer.from(sign(signed)).toString('base64'),
    })),
  };
}

/** What a signed envelope holds, and the key that signed it. */
export interface OpenedEnvelope {
  readonly payloadType: string;
  readonly payload: Buffer;
  readonly keyName: string;
}

/**
 * Opens an envelope that one of `keys` signed; `keyid` is a hint that is not relied upon. Errors: package.malformed for what is
 * no envelope, package.signature-invalid.
 */
export function openDsse(value: unknown, keys: readonly PublicKey[]): OpenedEnvelope {
  const parsed = dsseEnvelopeSchema.safeParse(value);
  if (!parsed.success) {
    throw new RegrowError('package.malformed', `not a DSSE envelope: ${z.prettifyError(parsed.error)}`, {
      cause: parsed.error,
    });
  }
  const { payloadType, signatures } = parsed.data;
  const payload = Buffer.from(parsed.data.payload, 'base64');
  const signed = preAuthentication(payloadType, payload);
  for (const { sig } of signatures) {
    const bytes = Buffer.from(sig, 'base64');
    const key = keys.find(({ publicKey }) => verify('sha256', signed, publicKey, bytes));
    if (key !== undefined) return { payloadType, payload, keyName: key.name };
  }
  const named = signatures.map(({ keyid = 'a key without a name' }) => keyid).join(', ');
  throw new RegrowError(
    'package.signature-invalid',
    `the attestation has no signature of a known key, but of ${named}`,
    {
      remedy: 'trust it only with the public key of who made it',
    },
  );
}
