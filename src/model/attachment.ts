import { z } from 'zod';

/** What is attached to one manifest of an image, an index or a platform's: made once and kept, as no two signatures are alike. */
export const attachmentsSchema = z.strictObject({
  schema: z.literal(1),
  /** sha256 of the public key (PEM) that signed, hex. */
  key: z.string(),
  /** Hex digest of the manifest of the signature, which is found under the tag `sha256-HEX.sig`. */
  sig: z.string(),
  /** Of the attestations, `sha256-HEX.att`. */
  att: z.string(),
});

export type Attachments = z.infer<typeof attachmentsSchema>;

/** Where it lies in the object store, by the digest (hex) of what it is attached to. */
export function attachmentsKey(subject: string): string {
  return `images/attached/${subject}.json`;
}

/** The public key that images are signed with. */
export const imageKeyKey = 'images/cosign.pub';
