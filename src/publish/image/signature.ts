import { verify } from 'node:crypto';
import { identityAnnotations } from '../../formats/cosign.ts';
import { signDsse } from '../../formats/dsse.ts';
import type { OciAnnotations } from '../../formats/oci.ts';
import { inTotoPayloadType } from '../../formats/provenance.ts';
import { keyBundle, readSigstoreBundle } from '../../formats/sigstore-bundle.ts';
import { canonicalJson, sha256 } from '../../model/canonical.ts';
import type { ImageSigner } from '../../ports/signer.ts';
import type { Keyless } from '../../ports/sigstore.ts';

/** Who signs images: a key, or an identity that Sigstore certifies. */
export interface Hand {
  /** sha256 of the public key (PEM), hex, or `identity`. */
  readonly by: string;
  /** Whether a signature of a payload may be its own: what lies in the store others may have written. */
  hasSigned(payload: Uint8Array, signature: Uint8Array): boolean;
  /** Signs the payload of a signature; `witness` goes beside it. */
  sign(payload: Uint8Array): Promise<{ readonly signature: Uint8Array; readonly witness: OciAnnotations }>;
  /** Signs a statement: the text of its envelope, and of the Sigstore bundle around it. */
  attest(
    statement: Uint8Array,
  ): Promise<{ readonly envelope: string; readonly bundle: string; readonly witness: OciAnnotations }>;
}

export function handOfKey({ publicKey, sign }: ImageSigner): Hand {
  return {
    by: sha256(publicKey),
    hasSigned: (payload, signature) => verify('sha256', payload, publicKey, signature),
    sign: async (payload) => ({ signature: sign(payload), witness: {} }),
    async attest(statement) {
      // Without the name of a key: cosign is told which one to use.
      const envelope = signDsse(inTotoPayloadType, statement, [{ keyName: '', sign }]);
      return { envelope: canonicalJson(envelope), bundle: keyBundle(publicKey, envelope), witness: {} };
    },
  };
}

export function handOfIdentity(keyless: Keyless, signal: AbortSignal | undefined): Hand {
  return {
    by: 'identity',
    // Whoever checks it looks at the certificate, and whose it is; here it is only known that there is one.
    hasSigned: () => true,
    async sign(payload) {
      const signed = readSigstoreBundle(await keyless.sign(payload, signal));
      return { signature: Buffer.from(signed.signature, 'base64'), witness: identityAnnotations(signed) };
    },
    async attest(statement) {
      const bundle = await keyless.attest(inTotoPayloadType, statement, signal);
      const signed = readSigstoreBundle(bundle);
      return { envelope: signed.envelope ?? '', bundle, witness: identityAnnotations(signed) };
    },
  };
}
