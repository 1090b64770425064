import type { Generation } from '../model/publication.ts';
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

function noteOf({ at, withdrawn = [], rolledBackTo }: Generation): string {
  if (rolledBackTo !== undefined) return `rolled back to ${rolledBackTo}`;
  const now = withdrawn.filter((one) => one.at === at && one.rolledBackTo === undefined);
  return now.length === 0 ? '' : now.map((one) => `${one.origin} ${one.version} withdrawn: ${one.reason}`).join('; ');
}

/** Generations as a table, in the order given. */
export function generationsText(generations: readonly Generation[], style: Style): string {
  if (generations.length === 0) return 'nothing is published yet\n';
  return renderTable(
    ['GENERATION', 'WHEN', 'PACKAGES', 'CAME', 'WENT', 'NOTE'],
    generations.map((one) => [
      { text: String(one.generation) },
      { text: one.at.slice(0, 19).replace('T', ' ') },
      { text: packages(one) },
      { text: names(one.added) },
      { text: names(one.removed) },
      { text: noteOf(one) },
    ]),
    style,
  );
}
