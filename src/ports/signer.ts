/** RSA keys for apk. Only the publisher has one. Errors: config.invalid. */
export interface Signer {
  /** File name of the public key, `NAME.rsa.pub`, as it stands in `/etc/apk/keys`. */
  readonly keyName: string;
  /** SubjectPublicKeyInfo PEM. */
  readonly publicKey: string;
  /** RSA PKCS#1 v1.5 over sha256 of `bytes`. */
  sign(bytes: Uint8Array): Uint8Array;
  /** Keys that signed before and are still trusted, the newest first: they sign indexes too, for machines that know no newer key. */
  readonly older?: readonly Signer[];
}

/** An ECDSA P-256 key of images. Only the publisher has it. */
export interface ImageSigner {
  /** File name of the public key, `cosign.pub`. */
  readonly keyName: string;
  /** SubjectPublicKeyInfo PEM, what cosign calls `cosign.pub`. */
  readonly publicKey: string;
  /** ECDSA over sha256 of `bytes`, DER. No two signatures of the same bytes are alike. */
  sign(bytes: Uint8Array): Uint8Array;
  /** Keys that signed before and are still trusted, the newest first: images carry their signatures too, for who knows no newer key. */
  readonly older?: readonly ImageSigner[];
}

/** The keys of a repository, opened. */
export interface RepositoryKeys {
  readonly signer: Signer;
  /** Public keys that machines are to trust, the signing one first. */
  readonly trusted: readonly Pick<Signer, 'keyName' | 'publicKey'>[];
  /** File names of public keys that they are not to trust any more. */
  readonly retired: readonly string[];
}

/** The keys of images, opened; fields as those of `RepositoryKeys`. */
export interface ImageKeys {
  readonly signer: ImageSigner;
  readonly trusted: readonly Pick<ImageSigner, 'keyName' | 'publicKey'>[];
  readonly retired: readonly string[];
}
