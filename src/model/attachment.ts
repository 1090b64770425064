import { z } from 'zod';

const hex = z.string().regex(/^[0-9a-f]{64}$/);
const annotations = z.record(z.string(), z.string());

/** A layer of what cosign finds by a tag. */
const layerSchema = z.strictObject({
  mediaType: z.string(),
  digest: z.string(),
  size: z.number().int().nonnegative(),
  annotations: annotations.optional(),
});

/** A manifest that names another as its subject (image-spec 1.1 `manifest.md`), as a list of referrers has it. */
const referrerSchema = layerSchema.extend({ artifactType: z.string() });

/** What one key, or one identity, has signed of a manifest. */
const signedSchema = z.strictObject({
  /** sha256 of the public key (PEM) that signed, hex; `identity` for what Sigstore certified. */
  by: z.string().regex(/^(?:[0-9a-f]{64}|identity)$/),
  /** The signature, as a layer. */
  sig: layerSchema,
  /** The attestations, as layers. */
  att: z.array(layerSchema),
  /** Signature and attestations once more, as Sigstore bundles that refer to the manifest; empty where no identity signs. */
  bundles: z.array(referrerSchema),
});

const current = z.strictObject({
  schema: z.literal(2),
  /** The newest key first. */
  signed: z.array(signedSchema),
  /** Hex digest of the manifest of signatures, which is found under the tag `sha256-HEX.sig`. */
  sig: z.string(),
  /** Of the attestations, `sha256-HEX.att`. */
  att: z.string(),
  referrers: z.array(referrerSchema),
});

/** As it was before images could have several signers and referrers: it is served, and made anew. */
const former = z
  .strictObject({ schema: z.literal(1), key: z.string(), sig: z.string(), att: z.string() })
  .transform(({ sig, att }) => ({ schema: 2 as const, signed: [], sig, att, referrers: [] }));

/** What is attached to one manifest of an image, an index or a platform's: made once and kept, as no two signatures are alike. */
export const attachmentsSchema = z.union([current, former]);

export type Attachments = z.output<typeof current>;
export type SignedBy = z.output<typeof signedSchema>;
export type Referrer = z.output<typeof referrerSchema>;

/** Where it lies in the object store, by the digest (hex) of what it is attached to. */
export function attachmentsKey(subject: string): string {
  return `images/attached/${subject}.json`;
}

/** The public key that images are signed with; all that are trusted lie under `imageKeysPrefix`, by the names of their files. */
export const imageKeyKey = 'images/cosign.pub';
export const imageKeysPrefix = 'images/keys/';

/** Which keys every image is to be signed with, sha256 of their PEM, hex: the publisher's word to the conductor. */
export const imageSignersKey = 'images/signers.json';
export const imageSignersSchema = z.strictObject({ schema: z.literal(1), keys: z.array(hex) });
export type ImageSigners = z.infer<typeof imageSignersSchema>;

/** Whether a manifest has the signatures of just these keys; with `identity`, that of Sigstore too. */
export function isSignedBy({ signed }: Attachments, keys: readonly string[], identity: boolean): boolean {
  const by = signed.flatMap((one) => (one.by === 'identity' ? [] : [one.by]));
  return by.join(' ') === keys.join(' ') && by.length > 0 && (!identity || signed.some((one) => one.by === 'identity'));
}
