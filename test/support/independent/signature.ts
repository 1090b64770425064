import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readArchive } from './tar.ts';

/** A signature of apk, and what it is over. */
export interface Signature {
  /** Name in `/etc/apk/keys`, `NAME.rsa.pub`. */
  readonly key: string;
  readonly bytes: Buffer;
  readonly signed: Buffer;
}

/** The signatures in the first member of a file: an open tar with files of root's alone, RSA over sha256 each. */
export function readSignatures(member: Buffer, signed: Buffer): readonly Signature[] {
  const { entries, endBlocks } = readArchive(member);
  if (endBlocks !== 0) throw new Error('the signature has end blocks');
  if (entries.length === 0) throw new Error('there is no signature');
  return entries.map(({ path, flag, mode, user, group, uid, gid, content }) => {
    const key = /^\.SIGN\.RSA256\.([^/]+\.rsa\.pub)$/.exec(path)?.[1];
    if (key === undefined) throw new Error(`${path} is the name of no signature`);
    const owner = [flag, mode.toString(8), user, group, uid, gid].join(' ');
    if (owner !== '0 644 root root 0 0') throw new Error(`${path} is ${owner}`);
    return { key, bytes: content, signed };
  });
}

/** What the `openssl` command says of a signature: RSA PKCS#1 v1.5 over sha256. `publicKey` is PEM. */
export function opensslVerifies({ bytes, signed }: Pick<Signature, 'bytes' | 'signed'>, publicKey: string): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'regrow-openssl-'));
  try {
    writeFileSync(join(folder, 'key'), publicKey);
    writeFileSync(join(folder, 'signature'), bytes);
    const said = execFileSync('openssl', ['dgst', '-sha256', '-verify', 'key', '-signature', 'signature'], {
      cwd: folder,
      input: signed,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    return said.toString() === 'Verified OK\n';
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
