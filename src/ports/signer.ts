/** RSA keys for apk. Only the publisher has one. Errors: config.invalid. */
export interface Signer {
  /** File name of the public key, `NAME.rsa.pub`, as it stands in `/etc/apk/keys`. */
  readonly keyName: string;
  /** SubjectPublicKeyInfo PEM. */
  readonly publicKey: string;
  /** RSA PKCS#1 v1.5 over sha256 of `bytes`. */
  sign(bytes: Uint8Array): Uint8Array;
}
