import type { Generation, Withdrawn } from '../model/publication.ts';
import type { TargetName } from '../model/target.ts';
import { renderTable, type Style } from './table.ts';

/** Most names that one cell lists. */
const shown = 4;

function names(labels: readonly string[]): string {
  const all = [...new Set(labels.map((label) => label.slice(0, label.lastIndexOf(' '))))];
  if (all.length === 0) return '-';
  return `${all.slice(0, shown).join(', ')}${all.length > shown ? `, and ${all.length - shown} more` : ''}`;
}

/** How many packages the indexes have, of all targets; `-` where a generation does not say. */
function packages({ targets }: Generation): string {
  const counts = Object.values(targets).map(({ count }) => count);
  return counts.includes(undefined) ? '-' : String(counts.reduce<number>((sum, count) => sum + (count ?? 0), 0));
}

/** Whether both have the same packages, in indexes of other bytes. */
function isSignedAnew(one: Generation, before: Generation): boolean {
  const pairs = Object.entries(one.targets).map(([name, now]) => [now, before.targets[name as TargetName]] as const);
  return (
    pairs.length === Object.keys(before.targets).length &&
    pairs.every(([now, was]) => now.packages === was?.packages) &&
    pairs.some(([now, was]) => now.index !== was?.index)
  );
}

/** What came and went does not say it: people asked for it, or the keys have changed. `before`: the generation before, where it is known. */
function noteOf(one: Generation, before: Generation | undefined): string {
  const { at, withdrawn = [], rolledBackTo } = one;
  if (rolledBackTo !== undefined) return `rolled back to ${rolledBackTo}`;
  const now = withdrawn.filter((held) => held.at === at && held.rolledBackTo === undefined);
  if (now.length > 0) return now.map((out) => `${out.origin} ${out.version} withdrawn: ${out.reason}`).join('; ');
  if (before === undefined) return '';
  const isHeld = (held: Withdrawn) => held.rolledBackTo !== undefined;
  if (before.withdrawn?.some(isHeld) === true && !withdrawn.some(isHeld)) return 'rollback undone';
  return isSignedAnew(one, before) ? 'indexes signed by other keys' : '';
}

/** Generations as a table, in the order given. `next`: the one that would follow, which is not listed. */
export function generationsText(generations: readonly Generation[], style: Style, next?: Generation): string {
  const byNumber = new Map([...generations, ...(next === undefined ? [] : [next])].map((one) => [one.generation, one]));
  if (generations.length === 0) return 'nothing is published yet\n';
  return renderTable(
    ['GENERATION', 'WHEN', 'PACKAGES', 'CAME', 'WENT', 'NOTE'],
    generations.map((one) => [
      { text: String(one.generation) },
      { text: one.at.slice(0, 19).replace('T', ' ') },
      { text: packages(one) },
      { text: names(one.added) },
      { text: names(one.removed) },
      { text: noteOf(one, one.parent === undefined ? undefined : byNumber.get(one.parent)) },
    ]),
    style,
  );
}
