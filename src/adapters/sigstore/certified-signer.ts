import { generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { FulcioSigner, type FulcioSignerOptions, type Signer } from '@sigstore/sign';
import { RegrowError } from '../../errors.ts';

/** How long before it ends a certificate is used no more: what it signs has to be witnessed before, milliseconds. */
const margin = 3 * 60_000;

interface Certified {
  readonly key: KeyObject;
  /** PEM. */
  readonly certificate: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/**
 * Signs with a key that lives in memory alone, for as long as its certificate is good: Fulcio is asked once in some minutes, not for
 * every signature of an image.
 */
export function createCertifiedSigner(options: Omit<FulcioSignerOptions, 'keyHolder'>): Signer {
  let current: Promise<Certified> | undefined;

  async function certify(): Promise<Certified> {
    const { privateKey: key, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
    const holder: Signer = {
      sign: async (data) => ({ signature: sign('sha256', data, key), key: { $case: 'publicKey', publicKey: pem } }),
    };
    // What it signs here is thrown away; the certificate is what it is asked for.
    const signed = await new FulcioSigner({ ...options, keyHolder: holder }).sign(Buffer.alloc(0));
    if (signed.key.$case !== 'x509Certificate') throw new TypeError('Fulcio gave no certificate');
    const { certificate } = signed.key;
    const parsed = new X509Certificate(certificate);
    // Signatures that it does not belong to would count as made, and nobody could verify them.
    if (!parsed.checkPrivateKey(key)) {
      throw new RegrowError('sigstore.refused', 'Fulcio gave the certificate of another key', {
        retry: 'later',
        remedy: 'check publish.sigstore.fulcioUrl and what is between: an answer may have been kept and given again',
      });
    }
    return { key, certificate, until: Date.parse(parsed.validTo) - margin };
  }

  return {
    async sign(data) {
      let certified = await current?.catch(() => undefined);
      if (certified === undefined || certified.until <= Date.now()) {
        current = certify();
        certified = await current;
      }
      const { key, certificate } = certified;
      return { signature: sign('sha256', data, key), key: { $case: 'x509Certificate', certificate } };
    },
  };
}
