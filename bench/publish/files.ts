import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { type Chance, createChance } from './chance.ts';

const megabyte = 2 ** 20;
/** 200 MB: many small files of text, text and incompressible bytes in large ones. */
const mix = [
  { directory: 'usr/share/doc', count: 8000, bytes: 8 * 1024, kind: 'text' },
  { directory: 'usr/share/data', count: 4, bytes: 17 * megabyte, kind: 'text' },
  { directory: 'usr/lib/blobs', count: 1200, bytes: 20 * 1024, kind: 'noise' },
  { directory: 'usr/share/media', count: 3, bytes: 15 * megabyte, kind: 'noise' },
] as const;

function noise(chance: Chance, bytes: number): Buffer {
  const content = Buffer.alloc(bytes);
  for (let at = 0; at + 4 <= bytes; at += 4) content.writeUInt32LE(chance.below(2 ** 32), at);
  return content;
}

/** Lines that compress about as source code does: words of a vocabulary, some of them far more frequent. */
function text(chance: Chance, vocabulary: readonly string[], bytes: number): Buffer {
  const content = Buffer.alloc(bytes, '\n');
  for (let at = 0; at < bytes; ) {
    const rank = chance.below(2) === 0 ? chance.below(64) : chance.below(vocabulary.length);
    at += content.write(`${vocabulary[rank] ?? ''}${chance.below(9) === 0 ? '\n' : ' '}`, at, 'latin1');
    // A word that does not fit is cut off, so the next one starts behind the end.
    if (bytes - at < 16) break;
  }
  return content;
}

/** Fills a directory; gives how many bytes its files have. */
export function fillTree(directory: string): number {
  const chance = createChance(200);
  const vocabulary = Array.from({ length: 20_000 }, () =>
    Array.from({ length: 3 + chance.below(8) }, () => String.fromCharCode(97 + chance.below(26))).join(''),
  );
  let sum = 0;
  for (const { directory: below, count, bytes, kind } of mix) {
    for (let i = 0; i < count; i += 1) {
      const path = join(directory, below, String(i % 40), `file-${i}`);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, kind === 'noise' ? noise(chance, bytes) : text(chance, vocabulary, bytes));
      sum += bytes;
    }
  }
  return sum;
}

/** Seconds that `tar | gzip -6` takes for a directory, into a file. */
export function tarGzipSeconds(directory: string, into: string): number {
  const start = performance.now();
  const script = 'tar -C "$1" -cf - . | gzip -6 > "$2"';
  const { status, stderr } = spawnSync('sh', ['-c', script, 'sh', directory, into], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`tar | gzip failed: ${stderr}`);
  return (performance.now() - start) / 1000;
}
