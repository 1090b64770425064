/**
 * Replays real updates that changed dependency pins: `npm run bench:pins -- FILE.jsonl.gz`. Of the rows that a line edit does
 * not reproduce, those with pins get their true version and hashes; which pins went or were raised is taken from the text
 * after, and the edit has to make that text. The last line is `{ residue, withPins, pinsChanged, dropped, raised, kept,
 * reproduced }`: rows; of them those with pins; of those, the ones where pins went or were raised, as in how many pins of each
 * kind; and how many of `pinsChanged` came out byte for byte. `--misses` names the rest.
 *
 * With `--upstream FOLDER`, which has clones as FOLDER/OWNER+NAME/repo, a line `{ rows, bothDrop, bothKeep, onlyWe, onlyPeople,
 * residue, identical, residueIdentical }` comes before it: of all rows whose projects are there, what our rules decide from
 * upstream's manifests alone, pin by pin against what people did, and rows that came out byte for byte.
 */
import { parseArgs } from 'node:util';
import { type DependencyPin, pinSteps } from '../src/bump/dependency-pins.ts';
import { editPins, type PinEdit } from '../src/bump/pin-edits.ts';
import { readRecipeDocument } from '../src/bump/recipe-document.ts';
import { type GoldenRow, readGoldenRows, replayBump } from './golden-rows.ts';
import { judgeUpstream } from './pin-upstream.ts';

interface PlacedPin {
  /** What the pin is for: the same in the text before and after. */
  readonly key: string;
  readonly pin: DependencyPin;
}

function pinsOf(text: string): readonly PlacedPin[] {
  return pinSteps(readRecipeDocument(text)).flatMap(({ roots, pins }) =>
    pins.map((pin) => ({ key: [...roots, pin.input, pin.means?.name ?? pin.text, pin.means?.by].join(' '), pin })),
  );
}

/** What people did to the pins, as edits of `bumped`. */
function editsOf(bumped: string, after: string): { readonly edits: readonly PinEdit[]; readonly kept: number } {
  const now = new Map(pinsOf(after).map(({ key, pin }) => [key, pin.means?.version ?? '']));
  const pins = pinsOf(bumped);
  const edits = pins.flatMap(({ key, pin }): PinEdit[] => {
    const to = now.get(key);
    if (to === undefined) return [{ pin }];
    return to === (pin.means?.version ?? '') ? [] : [{ pin, to }];
  });
  return { edits, kept: pins.length - edits.length };
}

const usage = 'usage: npm run bench:pins -- [--misses] [--upstream FOLDER] FILE.jsonl.gz\n';
const { values, positionals } = parseArgs({
  options: { misses: { type: 'boolean' }, upstream: { type: 'string' } },
  allowPositionals: true,
});
const [file] = positionals;
if (file === undefined) {
  process.stderr.write(usage);
  process.exit(2);
}

const edited = { residue: 0, withPins: 0, pinsChanged: 0, dropped: 0, raised: 0, kept: 0, reproduced: 0 };
const decided = {
  rows: 0,
  bothDrop: 0,
  bothKeep: 0,
  onlyWe: 0,
  onlyPeople: 0,
  residue: 0,
  identical: 0,
  residueIdentical: 0,
};

function edit(row: GoldenRow, bumped: string): void {
  const { edits, kept } = editsOf(bumped, row.after);
  edited.kept += kept;
  if (edits.length === 0) return;
  const reproduced = editPins(bumped, edits) === row.after;
  edited.pinsChanged++;
  edited.dropped += edits.filter(({ to }) => to === undefined).length;
  edited.raised += edits.filter(({ to }) => to !== undefined).length;
  edited.reproduced += Number(reproduced);
  if (!reproduced) miss('edit', row);
}

function decide(row: GoldenRow, bumped: string, upstream: string): void {
  const verdicts = judgeUpstream(row.file, row.before, bumped, upstream);
  if (verdicts === undefined) return;
  const ours = new Set(verdicts.edits.map(({ pin }) => pin.start));
  const theirs = new Set(editsOf(bumped, row.after).edits.map(({ pin }) => pin.start));
  const identical = editPins(bumped, verdicts.edits) === row.after;
  decided.rows++;
  decided.residue += Number(!row.lineEditReproducesIt);
  decided.identical += Number(identical);
  decided.residueIdentical += Number(!row.lineEditReproducesIt && identical);
  for (const { pin } of pinsOf(bumped)) {
    const [we, they] = [ours.has(pin.start), theirs.has(pin.start)];
    decided[we && they ? 'bothDrop' : we ? 'onlyWe' : they ? 'onlyPeople' : 'bothKeep']++;
  }
  if (!identical) miss('decision', row, verdicts.notes);
}

function miss(what: string, row: GoldenRow, notes: readonly string[] = []): void {
  if (values.misses !== true) return;
  process.stdout.write(`${what} ${row.file} ${row.to.version} ${row.commit}\n`);
  for (const note of notes) process.stdout.write(`  ${note}\n`);
}

for (const row of readGoldenRows(file)) {
  edited.residue += Number(!row.lineEditReproducesIt);
  if (pinsOf(row.before).length === 0) continue;
  edited.withPins += Number(!row.lineEditReproducesIt);
  const bumped = replayBump(row);
  if (bumped === undefined) continue;
  if (!row.lineEditReproducesIt) edit(row, bumped);
  if (values.upstream !== undefined) decide(row, bumped, values.upstream);
}
if (values.upstream !== undefined) process.stdout.write(`${JSON.stringify(decided)}\n`);
process.stdout.write(`${JSON.stringify(edited)}\n`);
