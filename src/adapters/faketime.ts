import { existsSync, readdirSync } from 'node:fs';

/**
 * libfaketime of this machine (Debian: the package faketime), the one for programs with threads; undefined where there is none. Only
 * below `/usr`, which the sandbox shows.
 */
export function findFaketime(): string | undefined {
  const folders = ['/usr/lib', '/usr/lib64', '/usr/local/lib'];
  const below = readdirSync('/usr/lib', { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const folder of [...folders, ...below.map(({ name }) => `/usr/lib/${name}`)]) {
    const path = `${folder}/faketime/libfaketimeMT.so.1`;
    if (existsSync(path)) return path;
  }
  return undefined;
}
