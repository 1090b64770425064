import { createHash, verify } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as bodyOf } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createIdentity } from '../../../../src/adapters/sigstore/identity.ts';
import { createKeyless, type KeylessOptions } from '../../../../src/adapters/sigstore/keyless.ts';
import { readSigstoreBundle } from '../../../../src/formats/sigstore-bundle.ts';
import { type FakeSigstore, identity, identityToken, startFakeSigstore } from '../../../fakes/sigstore.ts';
import { createLoopbackHttp } from '../../../support/loopback-http.ts';

let fake: FakeSigstore;
beforeEach(async () => {
  fake = await startFakeSigstore();
});
afterEach(() => fake.close());

function keyless(change: Partial<KeylessOptions> = {}) {
  return createKeyless({
    fulcioUrl: fake.address,
    rekorUrl: `${fake.address}/`,
    rekorVersion: 1,
    identity: async () => identityToken(),
    timeout: 2000,
    ...change,
  });
}

const type = 'application/vnd.in-toto+json';
const statement = Buffer.from('{"_type":"https://in-toto.io/Statement/v1"}');

describe('a bundle', () => {
  test('of a statement is verified by who trusts Fulcio and Rekor, and names who signed', async () => {
    const text = await keyless().attest(type, statement);
    expect(JSON.parse(text)).toMatchObject({ mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json' });
    expect(fake.verify(text)).toBe(identity.subject);
    const { envelope = '', entry } = readSigstoreBundle(text);
    const { spec } = JSON.parse(Buffer.from(entry?.body ?? '', 'base64').toString()) as {
      spec: { envelopeHash: { value: string } };
    };
    // cosign compares the hash in the log with that of the layer.
    expect(createHash('sha256').update(envelope).digest('hex')).toBe(spec.envelopeHash.value);
  });

  test('of bytes is verified with them, and with no others', async () => {
    const text = await keyless().sign(statement);
    expect(fake.verify(text, statement)).toBe(identity.subject);
    expect(() => fake.verify(text, Buffer.from('{"_type":"https://in-toto.io/Statement/v2"}'))).toThrow(/signature/i);
    const { certificate, signature } = readSigstoreBundle(text);
    expect(verify('sha256', statement, certificate, Buffer.from(signature, 'base64'))).toBe(true);
  });

  test('whose payload, signature, log entry or certificate is changed by a byte is verified no more', async () => {
    const text = await keyless({ timestampUrl: fake.address }).attest(type, statement);
    expect(fake.verify(text)).toBe(identity.subject);
    const places = [
      ['dsseEnvelope', 'payload'],
      ['dsseEnvelope', 'signatures', 0, 'sig'],
      ['verificationMaterial', 'certificate', 'rawBytes'],
      ['verificationMaterial', 'tlogEntries', 0, 'canonicalizedBody'],
      ['verificationMaterial', 'tlogEntries', 0, 'inclusionPromise', 'signedEntryTimestamp'],
      ['verificationMaterial', 'timestampVerificationData', 'rfc3161Timestamps', 0, 'signedTimestamp'],
    ];
    for (const place of places) {
      const changed = JSON.parse(text) as object;
      const owner = place.slice(0, -1).reduce((at, key) => Reflect.get(at, key) as object, changed);
      const key = place.at(-1) ?? '';
      const bytes = Buffer.from(String(Reflect.get(owner, key)), 'base64');
      bytes[Math.floor(bytes.length / 2)]! ^= 1;
      Reflect.set(owner, key, bytes.toString('base64'));
      expect(() => fake.verify(JSON.stringify(changed)), place.join('.')).toThrow(
        /verif|mismatch|invalid|does not match|fail/i,
      );
    }
  });

  test('of services that nobody trusts is not verified', async () => {
    const other = await startFakeSigstore();
    try {
      const text = await keyless({ fulcioUrl: other.address, rekorUrl: other.address }).attest(type, statement);
      expect(other.verify(text)).toBe(identity.subject);
      expect(() => fake.verify(text)).toThrow(
        /no trusted certificate path|no valid certificate path|Failed to verify certificate chain/,
      );
    } finally {
      await other.close();
    }
  });

  test('has a time stamp where there is an authority', async () => {
    const text = await keyless({ timestampUrl: fake.address }).attest(type, statement);
    expect(readSigstoreBundle(text).timestamp).toMatch(/^[A-Za-z0-9+/]+=*$/);
    expect(fake.asked).toEqual(expect.arrayContaining(['fulcio', 'rekor', 'timestamp']));
    expect(readSigstoreBundle(await keyless().attest(type, statement)).timestamp).toBeUndefined();
  });

  test('of a Rekor of version 2 has its time from the authority alone', async () => {
    const one = keyless({ rekorVersion: 2, timestampUrl: fake.address });
    const text = await one.attest(type, statement);
    expect(fake.verify(text)).toBe(identity.subject);
    expect(readSigstoreBundle(text)).toMatchObject({ entry: { integratedTime: 0, promise: undefined } });
    expect(fake.verify(await one.sign(statement), statement)).toBe(identity.subject);
    const untimed = await keyless({ rekorVersion: 2 }).attest(type, statement);
    expect(() => fake.verify(untimed)).toThrow(/expected 1 timestamps, got 0/);
  });

  test('takes one certificate for many signatures', async () => {
    const one = keyless();
    for (let i = 0; i < 3; i += 1) await one.attest(type, Buffer.from(`{"i":${i}}`));
    expect(fake.asked).toEqual(['fulcio', 'rekor', 'rekor', 'rekor']);
  });
});

describe('what does not answer', () => {
  test.each([
    ['fulcio', 503, 'sigstore.unreachable', /^Fulcio does not answer: .*503.* not today/],
    ['fulcio', 400, 'sigstore.refused', /^Fulcio refuses: .*400.* not today/],
    ['rekor', 500, 'sigstore.unreachable', /^Rekor does not answer/],
    ['rekor', 422, 'sigstore.refused', /^Rekor refuses/],
    ['timestamp', 429, 'sigstore.unreachable', /^the timestamp authority does not answer/],
  ] as const)('%s with %i is %s', async (service, status, code, message) => {
    fake.faults.set(service, status);
    const one = keyless({ timestampUrl: fake.address });
    await expect(one.attest(type, statement)).rejects.toMatchObject({
      code,
      retry: 'later',
      message: expect.stringMatching(message) as string,
    });
    fake.faults.clear();
    expect(fake.verify(await one.attest(type, statement))).toBe(identity.subject);
  });

  test('at all, or within its time, is sigstore.unreachable', async () => {
    const gone = keyless({ fulcioUrl: 'http://127.0.0.1:1' });
    await expect(gone.sign(statement)).rejects.toMatchObject({ code: 'sigstore.unreachable', retry: 'later' });
    fake.delay = 2000;
    await expect(keyless({ timeout: 100 }).sign(statement)).rejects.toMatchObject({ code: 'sigstore.unreachable' });
  });

  test('is not waited for any more when the job is stopped', async () => {
    fake.delay = 20_000;
    const controller = new AbortController();
    const begun = Date.now();
    const signing = keyless({ timeout: 60_000 }).sign(statement, controller.signal);
    setTimeout(() => controller.abort(), 50);
    await expect(signing).rejects.toMatchObject({ code: 'aborted', retry: 'now' });
    expect(Date.now() - begun).toBeLessThan(5000);
  });
});

/** In front of the fake Fulcio: something that answers in its place. */
async function between(
  answer: (body: string) => Promise<{ status: number; text: string }>,
  use: (url: string) => Promise<void>,
) {
  const server = createServer((request, response) => {
    void bodyOf(request)
      .then(answer)
      .then(({ status, text }) => response.writeHead(status, { 'content-type': 'application/json' }).end(text));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

describe('what is not as it should be', () => {
  test('a certificate of another key is not signed with', async () => {
    let first: string | undefined;
    const replay = async (body: string) => {
      const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
      first ??= await (await fetch(`${fake.address}/api/v2/signingCert`, init)).text();
      return { status: 200, text: first };
    };
    await between(replay, async (fulcioUrl) => {
      expect(fake.verify(await keyless({ fulcioUrl }).attest(type, statement))).toBe(identity.subject);
      const again = keyless({ fulcioUrl }).attest(type, statement);
      await expect(again).rejects.toMatchObject({ code: 'sigstore.refused', retry: 'later' });
    });
  });

  test('what a service says is cut short, and without the token that it was given', async () => {
    const echo = async (body: string) => ({
      status: 400,
      text: JSON.stringify({ message: `${body}${'x'.repeat(1e6)}` }),
    });
    await between(echo, async (fulcioUrl) => {
      const thrown: unknown = await keyless({ fulcioUrl })
        .sign(statement)
        .catch((error: unknown) => error);
      expect(thrown).toMatchObject({ code: 'sigstore.refused' });
      const { message } = thrown as Error;
      expect(message).toContain('(a token)');
      expect(message).not.toContain(identityToken().slice(0, 30));
      expect(message.length).toBeLessThan(400);
    });
  });
});

describe('the identity', () => {
  test('is read from its file for each certificate', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'regrow-identity-'));
    try {
      const path = join(folder, 'token');
      const token = createIdentity({ kind: 'file', path }, createLoopbackHttp());
      await expect(token()).rejects.toMatchObject({ code: 'sigstore.identity', retry: 'later' });
      for (const sub of ['one', 'two']) {
        writeFileSync(path, `${identityToken({ sub })}\n`);
        expect(fake.verify(await keyless({ identity: token }).attest(type, statement))).toBe(sub);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('is asked of GitHub where a workflow may', async () => {
    const url = `${fake.address}/token?api-version=2.0`;
    const token = createIdentity({ kind: 'github', url, token: 'asking' }, createLoopbackHttp());
    expect(await token()).toBe(identityToken());
    const wrong = createIdentity({ kind: 'github', url, token: 'wrong' }, createLoopbackHttp());
    await expect(wrong()).rejects.toThrow(/gives no identity token \(401\)/);
  });

  test('that is not there, or no token, or names nobody, says so, and nothing of what it is', async () => {
    const secret = `${identityToken({ sub: undefined })}`;
    for (const [source, code] of [
      [undefined, 'sigstore.identity'],
      [{ kind: 'token', token: 'hush' }, 'sigstore.identity'],
      [{ kind: 'token', token: secret }, 'sigstore.identity'],
    ] as const) {
      const signing = keyless({ identity: createIdentity(source, createLoopbackHttp()) }).attest(type, statement);
      const thrown = await signing.then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(thrown).toMatchObject({ code, retry: 'later' });
      const said = JSON.stringify(thrown, Object.getOwnPropertyNames(thrown));
      expect(said).not.toContain('hush');
      expect(said).not.toContain(secret);
    }
    expect(fake.asked).toEqual([]);
  });
});
