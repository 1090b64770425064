/**
 * Replays real updates that changed dependency pins: `npm run bench:pins -- FILE.jsonl.gz`. Of the rows that a line edit does
 * not reproduce, those with pins get their true version and hashes; which pins went or were raised is taken from the text
 * after, because the data has no go.mod, and the edit has to make that text. The last line is `{ residue, withPins,
 * pinsChanged, dropped, raised, kept, reproduced }`: rows; of them those with pins; of those, the ones where pins went or were
 * raised, as in how many pins of each kind; and how many of `pinsChanged` came out byte for byte. `--misses` names the rest.
 */
import { parseArgs } from 'node:util';
import { type DependencyPin, pinSteps } from '../src/bump/dependency-pins.ts';
import { editPins, type PinEdit } from '../src/bump/pin-edits.ts';
import { readRecipeDocument } from '../src/bump/recipe-document.ts';
import { readGoldenRows, replayBump } from './golden-rows.ts';

interface PlacedPin {
  /** What the pin is for: the same in the text before and after. */
  readonly key: string;
  readonly pin: DependencyPin;
}

function pinsOf(text: string): readonly PlacedPin[] {
  return pinSteps(readRecipeDocument(text)).flatMap(({ roots, pins }) =>
    pins.map((pin) => ({
      key: [...roots, pin.input, pin.means?.name ?? pin.text, pin.means?.by].join(' '),
      pin,
    })),
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

const { values, positionals } = parseArgs({ options: { misses: { type: 'boolean' } }, allowPositionals: true });
const [file] = positionals;
if (file === undefined) {
  process.stderr.write('usage: npm run bench:pins -- [--misses] FILE.jsonl.gz\n');
  process.exit(2);
}

const result = { residue: 0, withPins: 0, pinsChanged: 0, dropped: 0, raised: 0, kept: 0, reproduced: 0 };
for (const row of readGoldenRows(file)) {
  if (row.lineEditReproducesIt) continue;
  result.residue++;
  if (pinsOf(row.before).length === 0) continue;
  result.withPins++;
  const bumped = replayBump(row);
  if (bumped === undefined) continue;
  const { edits, kept } = editsOf(bumped, row.after);
  result.kept += kept;
  if (edits.length === 0) continue;
  const reproduced = editPins(bumped, edits) === row.after;
  result.pinsChanged++;
  result.dropped += edits.filter(({ to }) => to === undefined).length;
  result.raised += edits.filter(({ to }) => to !== undefined).length;
  result.reproduced += Number(reproduced);
  if (!reproduced && values.misses === true) process.stdout.write(`miss ${row.file} ${row.to.version} ${row.commit}\n`);
}
process.stdout.write(`${JSON.stringify(result)}\n`);
