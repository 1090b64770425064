import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openDsse, signDsse } from '../../../src/formats/dsse.ts';
import { opensslVerifies } from '../../support/independent/signature.ts';
import { createTestSigner } from '../../support/test-signer.ts';

const type = 'http://example.com/HelloWorld';
const payload = Buffer.from('hello world');
const signer = createTestSigner('box');
const keys = [{ name: signer.keyName, publicKey: signer.publicKey }];

describe('a DSSE envelope', () => {
  it("is signed over the bytes of the specification's example, as openssl verifies", () => {
    const { signatures } = signDsse(type, payload, [signer]);
    const signed = Buffer.from('DSSEv1 29 http://example.com/HelloWorld 11 hello world');
    const bytes = Buffer.from(signatures[0]?.sig ?? '', 'base64');
    expect(opensslVerifies({ bytes, signed }, signer.publicKey)).toBe(true);
    expect(opensslVerifies({ bytes, signed: Buffer.from(`${signed.toString()}!`) }, signer.publicKey)).toBe(false);
  });

  it('is opened with any of the keys that signed it, RSA or elliptic', () => {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const other = { keyName: 'other', sign: (bytes: Uint8Array) => sign('sha256', bytes, pair.privateKey) };
    const envelope: unknown = JSON.parse(JSON.stringify(signDsse(type, payload, [other, signer])));
    expect(openDsse(envelope, keys)).toEqual({ payloadType: type, payload, keyName: 'box.rsa.pub' });
    const publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    expect(openDsse(envelope, [{ name: 'other', publicKey }]).keyName).toBe('other');
  });

  it('is not opened with another key, nor when its type or payload was changed', () => {
    const envelope = signDsse(type, payload, [signer]);
    const stranger = createTestSigner('box');
    const invalid = expect.objectContaining({ code: 'package.signature-invalid' });
    expect(() => openDsse(envelope, [{ name: 'box.rsa.pub', publicKey: stranger.publicKey }])).toThrow(invalid);
    expect(() => openDsse({ ...envelope, payloadType: 'text/plain' }, keys)).toThrow(invalid);
    expect(() => openDsse({ ...envelope, payload: Buffer.from('hello').toString('base64') }, keys)).toThrow(invalid);
  });

  it('is refused when it is none', () => {
    for (const value of [undefined, [], { ...signDsse(type, payload, [signer]), signatures: [] }, { payload: '%' }])
      expect(() => openDsse(value, keys)).toThrow(expect.objectContaining({ code: 'package.malformed' }));
  });
});
