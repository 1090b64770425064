import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createHostTools } from '../../../src/build/host/host-tools.ts';

const text = readFileSync(new URL('../../../docs/host-engine.md', import.meta.url), 'utf8');

test('docs/host-engine.md lists every package that the host stands in for, with its commands', () => {
  const table = text.split('| the machine has to have |')[1]?.split('\n## ')[0] ?? '';
  const rows = [...table.matchAll(/^\| `(.+)` \| (.+) \|$/gm)].map(([, name = '', commands = '']) => [
    name,
    commands === 'nothing' ? [] : commands.split(' ').map((command) => command.replaceAll('`', '')),
  ]);
  const tools = Object.entries(createHostTools()).map(([name, commands]) => [name, [...new Set(commands)]]);
  expect(rows).toEqual(tools.toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1)));
  expect(rows.length).toBeGreaterThan(40);
});
