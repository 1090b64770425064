/**
 * Signs without a key of one's own: an ambient identity is certified by Fulcio, and what it signs is witnessed by Rekor, a
 * timestamp authority, or both. Errors: sigstore.identity, sigstore.unreachable, sigstore.refused, all to be tried later; aborted.
 */
export interface Keyless {
  /** A signature over bytes, as the text of a Sigstore bundle. */
  sign(bytes: Uint8Array, signal?: AbortSignal): Promise<string>;
  /** A signed DSSE envelope, as the text of a Sigstore bundle of version 0.3. */
  attest(payloadType: string, payload: Uint8Array, signal?: AbortSignal): Promise<string>;
}
