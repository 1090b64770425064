/**
 * Replays real updates: `npm run bench:bumps -- FILE.jsonl.gz`. From each recipe's text before, the true new version, and
 * the true new hash of each pin that *our* rules choose, the edit makes the text after. Which pins are edited is never
 * looked up in the text after. The last line is `{ total, identical, expected, expectedIdentical, strayLines }`:
 * identical to the real text after, of all rows and of those that a line edit is known to reproduce; strayLines counts
 * changed lines that are neither version, epoch nor an expected hash. With `--misses` each row that differs is named.
 */
import { parseArgs } from 'node:util';
import { readGoldenRows, replayBump } from './golden-rows.ts';

/** The lines that an update may touch. */
const editable = /^\s*(?:-\s+)?(?:version|epoch|expected-sha256|expected-sha512|expected-commit):/;

/** Changed lines that are none of the keys that an update may touch. */
function strayLines(before: string, after: string): number {
  const [old, now] = [before, after].map((text) => text.split('\n').filter((line) => !editable.test(line)));
  if (old === undefined || now === undefined) return 0;
  const changed = old.filter((line, i) => line !== now[i]).length;
  return Math.max(changed, Math.abs(old.length - now.length));
}

const { values, positionals } = parseArgs({ options: { misses: { type: 'boolean' } }, allowPositionals: true });
const [file] = positionals;
if (file === undefined) {
  process.stderr.write('usage: npm run bench:bumps -- [--misses] FILE.jsonl.gz\n');
  process.exit(2);
}

const result = { total: 0, identical: 0, expected: 0, expectedIdentical: 0, strayLines: 0 };
for (const row of readGoldenRows(file)) {
  const text = replayBump(row);
  const identical = text === row.after;
  result.total++;
  result.identical += Number(identical);
  result.expected += Number(row.lineEditReproducesIt);
  result.expectedIdentical += Number(row.lineEditReproducesIt && identical);
  result.strayLines += text === undefined ? 0 : strayLines(row.before, text);
  if (!identical && values.misses === true) {
    process.stdout.write(
      `${row.lineEditReproducesIt ? 'expected ' : ''}miss ${row.file} ${row.to.version} ${row.commit}\n`,
    );
  }
}
process.stdout.write(`${JSON.stringify(result)}\n`);
