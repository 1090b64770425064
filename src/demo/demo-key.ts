import { checkPrimeSync, createHash, createPrivateKey } from 'node:crypto';

/**
 * Where the demo's key comes from. Anyone who reads this file can make the key: it is public, worth nothing, and signs
 * nothing but the demo's packages, so that two runs on two machines give the same signatures. Never trust it.
 */
const seed = 'regrow demo key 1: public and worthless, for `regrow demo` only';
const publicExponent = 65_537n;
const primeBytes = 128;

/** File name of its public half. */
export const demoKeyName = 'regrow-demo.rsa.pub';

/** The demo's 2048-bit RSA key, PKCS#1 PEM: the same text on every machine. */
export function demoKey(): string {
  const stream = byteStream(seed);
  const p = nextPrime(stream);
  let q = nextPrime(stream);
  while (q === p) q = nextPrime(stream);
  const [large, small] = p > q ? [p, q] : [q, p];
  const d = inverse(publicExponent, (large - 1n) * (small - 1n));
  const jwk = {
    kty: 'RSA',
    n: base64url(large * small),
    e: base64url(publicExponent),
    d: base64url(d),
    p: base64url(large),
    q: base64url(small),
    dp: base64url(d % (large - 1n)),
    dq: base64url(d % (small - 1n)),
    qi: base64url(inverse(small, large)),
  };
  return createPrivateKey({ key: jwk, format: 'jwk' }).export({ type: 'pkcs1', format: 'pem' }).toString();
}

/** sha256 of the seed and a counter, one after the other. */
function* byteStream(text: string): Generator<Buffer, never> {
  for (let counter = 0; ; counter += 1) yield createHash('sha256').update(`${text}\n${counter}`).digest();
}

/** The first candidate of the stream that is prime; the two upper bits are set, so that a product has all 2048 bits. */
function nextPrime(stream: Generator<Buffer, never>): bigint {
  for (;;) {
    const bytes = Buffer.concat(Array.from({ length: primeBytes / 32 }, () => stream.next().value));
    const candidate = BigInt(`0x${bytes.toString('hex')}`) | (3n << BigInt(primeBytes * 8 - 2)) | 1n;
    if ((candidate - 1n) % publicExponent !== 0n && checkPrimeSync(candidate)) return candidate;
  }
}

/** Extended Euclid: the number that times `value` is 1 modulo `modulus`. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [rest, next] = [modulus, value % modulus];
  let [a, b] = [0n, 1n];
  while (next !== 0n) {
    const quotient = rest / next;
    [rest, next] = [next, rest - quotient * next];
    [a, b] = [b, a - quotient * b];
  }
  return ((a % modulus) + modulus) % modulus;
}

function base64url(value: bigint): string {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('base64url');
}
