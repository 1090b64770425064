import { z } from 'zod';
import { opensslVerifies } from './signature.ts';

/**
 * What the published schemas ask (in-toto attestation v1: statement.proto, resource_descriptor.proto and their Go validators;
 * SLSA provenance v1: provenance.proto and its validator), and nothing besides: written from them, sharing no code with the writer.
 */
const lengths: Readonly<Record<string, readonly number[]>> = {
  sha1: [40],
  sha256: [64],
  sha512: [128],
  gitCommit: [40, 64],
};
const digestSet = z
  .record(z.string(), z.string().regex(/^[0-9a-f]+$/))
  .refine((digests) =>
    Object.entries(digests).every(([algorithm, hex]) => lengths[algorithm]?.includes(hex.length) === true),
  );
const descriptor = z
  .strictObject({
    name: z.string().optional(),
    uri: z
      .string()
      .regex(/^[a-z][a-z0-9+.-]*:\S+$/)
      .optional(),
    digest: digestSet.optional(),
    downloadLocation: z.url().optional(),
    mediaType: z.string().optional(),
    annotations: z.record(z.string(), z.unknown()).optional(),
  })
  .refine(({ name, uri, digest }) => (name ?? uri ?? digest) !== undefined);
const someParameters = z.record(z.string(), z.unknown()).refine((value) => Object.keys(value).length > 0);
const statement = z.strictObject({
  _type: z.literal('https://in-toto.io/Statement/v1'),
  subject: z.array(descriptor.and(z.object({ digest: digestSet }))).min(1),
  predicateType: z.literal('https://slsa.dev/provenance/v1'),
  predicate: z.strictObject({
    buildDefinition: z.strictObject({
      buildType: z.url(),
      externalParameters: someParameters,
      internalParameters: z.record(z.string(), z.unknown()).optional(),
      resolvedDependencies: z.array(descriptor).optional(),
    }),
    runDetails: z.strictObject({
      builder: z.strictObject({
        id: z.string().regex(/^[a-z][a-z0-9+.-]*:\S+$/),
        version: z.record(z.string(), z.string()).optional(),
        builderDependencies: z.array(descriptor).optional(),
      }),
      metadata: z
        .strictObject({
          invocationId: z.string().optional(),
          startedOn: z.iso.datetime().optional(),
          finishedOn: z.iso.datetime().optional(),
        })
        .optional(),
      byproducts: z.array(descriptor).optional(),
    }),
  }),
});
const envelope = z.strictObject({
  payloadType: z.literal('application/vnd.in-toto+json'),
  payload: z.base64(),
  signatures: z.array(z.strictObject({ keyid: z.string(), sig: z.base64() })).min(1),
});

export type ProvenanceStatement = z.infer<typeof statement>;

/** Reads a `.intoto.jsonl` of one line; openssl verifies each of its signatures. `keys`: PEM by key id. Throws what is wrong. */
export function readProvenance(text: string, keys: ReadonlyMap<string, string>): ProvenanceStatement {
  const [line = '', rest] = text.split('\n');
  if (rest !== '') throw new Error('it is not one line');
  const { payloadType, payload, signatures } = envelope.parse(JSON.parse(line));
  const body = Buffer.from(payload, 'base64');
  const signed = Buffer.concat([Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${body.length} `), body]);
  for (const { keyid, sig } of signatures) {
    if (!opensslVerifies({ bytes: Buffer.from(sig, 'base64'), signed }, keys.get(keyid) ?? ''))
      throw new Error(`the signature of ${keyid} is not valid`);
  }
  return statement.parse(JSON.parse(body.toString('utf8')));
}
