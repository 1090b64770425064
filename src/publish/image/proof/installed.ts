import { createHash } from 'node:crypto';
import type { Apk } from '../../../formats/apk.ts';

/**
 * What is wrong with a database of installed packages that apko wrote: it names packages that are not of the image, or with another
 * version or checksum, or files that they do not have, or have with other bytes. In the last layer it names all of them; in others those of
 * their layer.
 */
export function installedProblem(text: string, packages: readonly Apk[], isTop: boolean): string | undefined {
  const known = new Map(packages.map((apk) => [apk.info.name, apk]));
  const named = new Set<string>();
  for (const block of text.split('\n\n')) {
    if (block.trim() === '') continue;
    const lines = block.split('\n').filter((line) => line !== '');
    const field = (key: string) => lines.filter((line) => line.startsWith(`${key}:`)).map((line) => line.slice(2));
    const [names, versions, checksums] = [field('P'), field('V'), field('C')];
    const apk = known.get(names[0] ?? '');
    const said = `${names.join(' ')} ${versions.join(' ')} ${checksums.join(' ')}`;
    if (apk === undefined || said !== `${apk.info.name} ${apk.info.version} ${apk.checksum}`)
      return `names ${said}, which is none of its packages`;
    if (named.has(apk.info.name)) return `names ${apk.info.name} twice`;
    named.add(apk.info.name);
    const other = fileProblem(lines, apk);
    if (other !== undefined) return `says of ${apk.info.name} that ${other}`;
  }
  const lost = isTop ? packages.find(({ info }) => !named.has(info.name)) : undefined;
  return lost === undefined ? undefined : `does not name ${lost.info.name}`;
}

function fileProblem(lines: readonly string[], apk: Apk): string | undefined {
  const entries = new Map(apk.entries().map((entry) => [entry.path, entry]));
  let directory = '';
  let path = '';
  for (const line of lines) {
    const value = line.slice(2);
    if (line.startsWith('F:')) directory = value;
    else if (line.startsWith('R:')) {
      path = directory === '' ? value : `${directory}/${value}`;
      if (!entries.has(path)) return `/${path} is its`;
    } else if (line.startsWith('Z:')) {
      const entry = entries.get(path);
      const bytes = entry?.type === 'symlink' ? Buffer.from(entry.link ?? '') : (entry?.content ?? new Uint8Array());
      if (`Q1${createHash('sha1').update(bytes).digest('base64')}` !== value) return `/${path} has the hash ${value}`;
    }
  }
  return undefined;
}
