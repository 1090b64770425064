import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bundleFromJSON } from '@sigstore/bundle';
import {
  fulcioHandler,
  type HandlerFn,
  initializeCA,
  initializeCTLog,
  initializeTLog,
  initializeTSA,
  tsaHandler,
} from '@sigstore/mock';
import { TransparencyLogEntry, TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';

/** In the tokens of `identityToken`, and so in certificates. */
export const identity = {
  issuer: 'https://token.actions.githubusercontent.com',
  subject: 'https://github.com/acme/os/.github/workflows/regrow.yaml@refs/heads/main',
};

/** A token as an issuer gives it; the fake certifies whoever it names, and looks at no signature. */
export function identityToken(claims: Readonly<Record<string, unknown>> = {}): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return [part({ alg: 'none' }), part({ iss: identity.issuer, sub: identity.subject, ...claims }), 'c2ln'].join('.');
}

type Service = 'fulcio' | 'rekor' | 'timestamp' | 'github';

/** Fulcio with its certificate log, Rekor, a timestamp authority and GitHub's giver of tokens, on one loopback address. */
export interface FakeSigstore {
  readonly address: string;
  /** What was asked, in order. */
  readonly asked: Service[];
  /** An answer in place of a service's own; the number is a status. */
  readonly faults: Map<Service, number>;
  /** Milliseconds before an answer. */
  delay: number;
  /** Everything that these services are to be trusted for, as cosign's `--trusted-root` reads it. */
  readonly trustedRoot: TrustedServices;
  /** Verifies a bundle as a client would that trusts these services; gives who signed. Throws. */
  verify(bundle: string, artifact?: Uint8Array): string | undefined;
  close(): Promise<void>;
}

const keyPair = () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const der = (key: KeyObject) => key.export({ type: 'spki', format: 'der' });
const bytesOf = (view: ArrayBufferView) => Buffer.from(view.buffer, view.byteOffset, view.byteLength);
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

export async function startFakeSigstore(): Promise<FakeSigstore> {
  const [caKeys, logKeys, stampKeys] = [keyPair(), keyPair(), keyPair()];
  const ctlog = await initializeCTLog(caKeys);
  const ca = await initializeCA(caKeys, ctlog);
  const tsa = await initializeTSA(stampKeys);
  const certify = fulcioHandler(ca);
  const stamps = tsaHandler(tsa);
  /** The mock leaves zeros at the end of the milliseconds out, which sigstore-js does not read: it is asked again. */
  const stamp: HandlerFn = async (body) => {
    for (;;) {
      const answer = await stamps.fn(body);
      if (typeof answer.response === 'string') return answer;
      if (!/\d{14}\.\d{1,2}Z/.test(bytesOf(answer.response).toString('latin1'))) return answer;
    }
  };

  /** What Rekor makes of an envelope before it logs it (sigstore/rekor `pkg/types/dsse/v0.0.1/entry.go`), which the mock does not. */
  function canonical(proposed: Entry): object {
    if (proposed.kind !== 'dsse') return proposed;
    const { envelope, verifiers } = proposed.spec.proposedContent;
    const { payload, signatures } = JSON.parse(envelope) as { payload: string; signatures: { sig: string }[] };
    return {
      apiVersion: proposed.apiVersion,
      kind: 'dsse',
      spec: {
        envelopeHash: { algorithm: 'sha256', value: sha256(envelope) },
        payloadHash: { algorithm: 'sha256', value: sha256(Buffer.from(payload, 'base64')) },
        signatures: signatures.map(({ sig }, i) => ({ signature: sig, verifier: verifiers[i] })),
      },
    };
  }

  const log: HandlerFn = async (body) => {
    const entry = await tlog.log(canonical(JSON.parse(body) as Entry));
    return { statusCode: 201, response: JSON.stringify(entry), contentType: 'application/json' };
  };
  /** Rekor of version 2 (sigstore/rekor-tiles), which says no time; the mock logs what it is asked, and proves something else. */
  const logTile: HandlerFn = async (body) => {
    const entry = tileEntry(JSON.parse(body) as TileRequest);
    const { inclusionProof, ...logged } = await tlog.logV2(entry as unknown as Parameters<typeof tlog.logV2>[0]);
    if (inclusionProof === undefined) throw new Error('the mock gives no proof');
    const rootHash = createHash('sha256').update(Buffer.of(0)).update(logged.canonicalizedBody).digest();
    const answer = TransparencyLogEntry.toJSON({
      ...logged,
      kindVersion: { kind: entry.kind, version: entry.apiVersion },
      integratedTime: '0',
      inclusionProof: { ...inclusionProof, logIndex: '0', rootHash },
    });
    return { statusCode: 201, response: JSON.stringify(answer), contentType: 'application/json' };
  };
  const give: HandlerFn = async () => ({
    statusCode: 200,
    response: JSON.stringify({ value: identityToken() }),
    contentType: 'application/json',
  });
  const services: readonly (readonly [string, Service, HandlerFn])[] = [
    [certify.path, 'fulcio', certify.fn],
    ['/api/v1/log/entries', 'rekor', log],
    ['/api/v2/log/entries', 'rekor', logTile],
    [stamps.path, 'timestamp', stamp],
    ['/token', 'github', give],
  ];

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const url = new URL(request.url ?? '/', 'http://fake');
    const found = services.find(([path]) => path === url.pathname);
    if (found === undefined) return void response.writeHead(404).end();
    const [, service, answer] = found;
    fake.asked.push(service);
    if (fake.delay > 0) await new Promise((resolve) => setTimeout(resolve, fake.delay));
    const fault = fake.faults.get(service);
    if (fault !== undefined) {
      return void response.writeHead(fault, { 'content-type': 'application/json' }).end('{"message":"not today"}');
    }
    if (service === 'github') {
      const isAllowed = request.headers.authorization === 'Bearer asking';
      if (!isAllowed || url.searchParams.get('audience') !== 'sigstore') return void response.writeHead(401).end();
    }
    const { statusCode, response: body, contentType = 'text/plain' } = await answer(Buffer.concat(chunks).toString());
    response.writeHead(statusCode, { 'content-type': contentType });
    response.end(typeof body === 'string' ? body : bytesOf(body));
  }

  const server = createServer((request, response) => {
    void handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const tlog = await initializeTLog(address, logKeys);

  const since = { start: '2020-01-01T00:00:00.000Z' };
  const logOf = (publicKey: Buffer, keyId: Uint8Array) => ({
    baseUrl: address,
    hashAlgorithm: 'SHA2_256',
    publicKey: { rawBytes: base64(publicKey), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor: since },
    logId: { keyId: base64(keyId) },
  });
  const authority = (...certificates: ArrayBufferView[]) => ({
    subject: { organization: 'sigstore.mock', commonName: 'sigstore' },
    uri: address,
    certChain: { certificates: certificates.map((one) => ({ rawBytes: base64(bytesOf(one)) })) },
    validFor: since,
  });
  const logKey = der(logKeys.publicKey);
  const trustedRoot = {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [logOf(logKey, createHash('sha256').update(logKey).digest())],
    certificateAuthorities: [authority(ca.rootCertificate)],
    ctlogs: [logOf(ctlog.publicKey, bytesOf(ctlog.logID))],
    timestampAuthorities: [authority(tsa.intCertificate, tsa.rootCertificate)],
  };
  const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(trustedRoot)));

  const fake: FakeSigstore = {
    address,
    asked: [],
    faults: new Map(),
    delay: 0,
    trustedRoot,
    verify(bundle, artifact) {
      const entity = toSignedEntity(
        bundleFromJSON(JSON.parse(bundle)),
        artifact === undefined ? undefined : Buffer.from(artifact),
      );
      return verifier.verify(entity).identity?.subjectAlternativeName;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return fake;
}

interface TileRequest {
  readonly dsseRequestV002?: {
    readonly envelope: { readonly payload: string; readonly signatures: readonly { readonly sig: string }[] };
    readonly verifiers: readonly object[];
  };
  readonly hashedRekordRequestV002?: { readonly digest: string; readonly signature: object };
}

/** What a log of version 2 makes of what it is asked to log. */
function tileEntry({ dsseRequestV002: dsse, hashedRekordRequestV002: record }: TileRequest) {
  const apiVersion = '0.0.2';
  if (dsse !== undefined) {
    const digest = createHash('sha256').update(Buffer.from(dsse.envelope.payload, 'base64')).digest('base64');
    const signatures = dsse.envelope.signatures.map(({ sig: content }, i) => ({
      content,
      verifier: dsse.verifiers[i],
    }));
    const payloadHash = { algorithm: 'SHA2_256', digest };
    return { apiVersion, kind: 'dsse', spec: { dsseV002: { payloadHash, signatures } } };
  }
  const data = { algorithm: 'SHA2_256', digest: record?.digest };
  return { apiVersion, kind: 'hashedrekord', spec: { hashedRekordV002: { data, signature: record?.signature } } };
}

/** What of `trusted_root.json` is looked at by itself; binary values in base64. */
interface TrustedServices {
  readonly tlogs: readonly { readonly publicKey: { readonly rawBytes: string } }[];
  readonly ctlogs: TrustedServices['tlogs'];
  readonly certificateAuthorities: readonly {
    readonly certChain: { readonly certificates: readonly { readonly rawBytes: string }[] };
  }[];
}

interface DsseEntry {
  readonly apiVersion: string;
  readonly kind: 'dsse';
  readonly spec: { readonly proposedContent: { readonly envelope: string; readonly verifiers: readonly string[] } };
}
type Entry = DsseEntry | { readonly kind: 'hashedrekord' };
