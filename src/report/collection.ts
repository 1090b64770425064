import type { Amount, Amounts, CollectedClass, Collection, KeepReason } from '../model/collection.ts';
import { renderTable, type Style } from './table.ts';

const classNames: Readonly<Record<CollectedClass, string>> = {
  blob: 'packages, indexes and layers',
  package: 'packages as built',
  log: 'logs of builds',
  input: 'inputs of builds',
  request: 'requests',
  result: 'results',
  image: 'images without a tag',
};

const reasonTexts: Readonly<Record<KeepReason, string>> = {
  generation: 'a generation that is kept',
  image: 'a tag',
  'former-image': 'an image that may still be pulled by its digest',
  'built-image': 'an image that was built',
  build: 'main or an open pull request',
  'held-back': '`regrow rollback --undo`',
  inputs: 'building published packages again',
  'newest-log': 'showing the log of the newest build',
};

const units = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** `1.5 MB`: decimal, as disks are sold. */
export function bytesText(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power] ?? 'B'}`;
}

export function totalOf(amounts: Amounts): Amount {
  const all = Object.values(amounts);
  return {
    objects: all.reduce((sum, { objects }) => sum + objects, 0),
    bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** `12 objects, 1.5 MB` */
export function amountText(amounts: Amounts): string {
  const { objects, bytes } = totalOf(amounts);
  return `${objects} ${objects === 1 ? 'object' : 'objects'}, ${bytesText(bytes)}`;
}

function amountRows(what: string, amounts: Amounts): { text: string }[][] {
  return Object.entries(amounts).map(([name, { objects, bytes }]) => [
    { text: what },
    { text: classNames[name as CollectedClass] },
    { text: String(objects) },
    { text: bytesText(bytes) },
  ]);
}

/** One collection as tables: what went and what waits, then what keeps the rest. */
export function collectionText(collection: Collection, style: Style): string {
  const { dry, removed, waiting, kept, missing } = collection;
  const went = dry ? 'would go' : 'removed';
  const head = `${went}: ${amountText(removed)}; unused, and waiting: ${amountText(waiting)}\n`;
  const rows = [...amountRows(went, removed), ...amountRows('waits', waiting)];
  const tables = [
    rows.length === 0 ? '' : renderTable(['', 'WHAT', 'OBJECTS', 'SIZE'], rows, style),
    renderTable(
      ['KEPT', 'FOR'],
      Object.entries(kept).map(([why, count]) => [{ text: String(count) }, { text: reasonTexts[why as KeepReason] }]),
      style,
    ),
  ].filter((table) => table !== '');
  const damage = missing.map((key) => `damaged: ${key} is used and not there\n`).join('');
  return `${[head, ...tables].join('\n')}${damage === '' ? '' : `\n${damage}`}`;
}
