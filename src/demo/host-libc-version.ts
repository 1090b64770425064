import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { isApkVersion } from '../model/apk-version.ts';

/** What host-libc is called where the host's C library does not say (musl's getconf knows no such name). */
const unknownVersion = '1';

/** Version of the host's C library (`2.36`), as getconf says it. */
export async function hostLibcVersion(): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('getconf', ['GNU_LIBC_VERSION']);
    const version = stdout.trim().split(' ')[1] ?? '';
    return isApkVersion(version) ? version : unknownVersion;
  } catch {
    return unknownVersion;
  }
}
