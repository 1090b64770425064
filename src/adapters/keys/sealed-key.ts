import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { z } from 'zod';
import { invalidKey } from './failure.ts';

/** OWASP's recommendation for scrypt, 2^17: an eighth of a gigabyte and a third of a second for each guess. */
const usualCost = 2 ** 17;
const blockSize = 8;
/** More than this is not worked through, whatever a file says. */
const mostCost = 2 ** 20;
const keyBytes = 32;

/** A private key as it lies on the disk where there is a passphrase: PEM in AES-256-GCM, under a key that scrypt makes. */
const sealedKeySchema = z.strictObject({
  format: z.literal('regrow-sealed-key-1'),
  scrypt: z.strictObject({
    cost: z.number().int().min(2).max(mostCost),
    blockSize: z.number().int().min(1).max(32),
    parallelization: z.number().int().min(1).max(16),
    salt: z.base64(),
  }),
  /** Of AES-256-GCM; `data` is the ciphertext. All base64. */
  nonce: z.base64(),
  tag: z.base64(),
  data: z.base64(),
});

type SealedKey = z.infer<typeof sealedKeySchema>;

function derive(passphrase: string, { salt, cost, blockSize, parallelization }: SealedKey['scrypt']): Promise<Buffer> {
  const maxmem = 256 * cost * blockSize;
  return new Promise((resolve, reject) => {
    scrypt(passphrase, Buffer.from(salt, 'base64'), keyBytes, { cost, blockSize, parallelization, maxmem }, (e, key) =>
      e === null ? resolve(key) : reject(e),
    );
  });
}

/** Whether the text of a key's file is a sealed one. */
export function isSealed(text: string): boolean {
  return text.trimStart().startsWith('{');
}

/** With what a key is sealed; `cost` is scrypt's, where it is not the usual one. */
export interface Seal {
  readonly passphrase: string;
  readonly cost?: number | undefined;
}

/** The text of a key's file: PEM that is sealed. `name` goes into the seal: no file stands for another. */
export async function sealKey(pem: string, name: string, { passphrase, cost = usualCost }: Seal): Promise<string> {
  const parameters = { cost, blockSize, parallelization: 1, salt: randomBytes(16).toString('base64') };
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', await derive(passphrase, parameters), nonce);
  cipher.setAAD(Buffer.from(name, 'utf8'));
  const data = Buffer.concat([cipher.update(pem, 'utf8'), cipher.final()]);
  const sealed: SealedKey = {
    format: 'regrow-sealed-key-1',
    scrypt: parameters,
    nonce: nonce.toString('base64'),
    tag: cipher.getAuthTag().toString('base64'),
    data: data.toString('base64'),
  };
  return `${JSON.stringify(sealed, null, 2)}\n`;
}

function parseSealed(text: string, file: string): SealedKey {
  try {
    return sealedKeySchema.parse(JSON.parse(text));
  } catch (error) {
    throw invalidKey(file, 'is damaged, or not a key of regrow', 'restore it from a backup', error);
  }
}

/** The PEM in a sealed key's text. Errors: config.invalid, for another passphrase, another name, and damage. */
export async function openKey(text: string, name: string, file: string, passphrase: string): Promise<string> {
  const sealed = parseSealed(text, file);
  const key = await derive(passphrase, sealed.scrypt);
  try {
    const tag = Buffer.from(sealed.tag, 'base64');
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(sealed.nonce, 'base64'), { authTagLength: 16 });
    decipher.setAAD(Buffer.from(name, 'utf8'));
    decipher.setAuthTag(tag);
    return Buffer.concat([decipher.update(Buffer.from(sealed.data, 'base64')), decipher.final()]).toString('utf8');
  } catch (error) {
    const remedy = 'give the passphrase that it was made with: REGROW_KEY_PASSPHRASE or publish.keyPassphraseFile';
    throw invalidKey(file, 'is not opened by this passphrase', remedy, error);
  }
}
