import { differenceText } from '../model/difference.ts';
import { paint, printable, type Style } from '../report/table.ts';
import type { Rebuilt } from '../roles/rebuilding.ts';

/** Most differences of one package that a person is shown. */
const shown = 20;

function verdictOf({ same }: Rebuilt): readonly [string, 'good' | 'bad'] {
  if (same === undefined) return ['cannot be built again', 'bad'];
  return same ? ['same', 'good'] : ['different', 'bad'];
}

/** What came of building again, for people. */
export function rebuiltText(rebuilt: readonly Rebuilt[], style: Style): string {
  const lines: string[] = [];
  for (const one of rebuilt) {
    const { package: name, version, target, request, packages, failure, milliseconds } = one;
    const [word, mood] = verdictOf(one);
    const seconds = (milliseconds / 1000).toFixed(1);
    lines.push(
      `${paint(word, mood, style)}  ${name} ${version} for ${target}, built in ${seconds} s from inputs/${request}.json`,
    );
    for (const { name: own, checksum, differences } of packages) {
      if (differences.length === 0) lines.push(`  ${paint('same', 'good', style)}  ${own}  ${checksum}`);
      else lines.push(`  ${paint('different', 'bad', style)}  ${own}`);
      for (const one of differences.slice(0, shown)) lines.push(`    ${printable(`${one.path} ${one.text}`)}`);
      if (differences.length > shown) lines.push(`    and ${differences.length - shown} more (--json has all)`);
    }
    if (failure === undefined) continue;
    lines.push(`  ${paint(failure.code, 'bad', style)} ${printable(failure.message)}`);
    for (const line of failure.tail) lines.push(`    | ${printable(line)}`);
  }
  return `${lines.join('\n')}\n`;
}

/** The same for programs. `same`: of all; null where something could not be built. */
export function rebuiltJson(rebuilt: readonly Rebuilt[]): unknown {
  const failed = rebuilt.some(({ same }) => same === undefined);
  return {
    same: failed ? null : rebuilt.every(({ same }) => same === true),
    builds: rebuilt.map(({ same, packages, ...one }) => ({
      ...one,
      same: same ?? null,
      packages: packages.map(({ rebuilt: now, differences, ...own }) => ({
        ...own,
        rebuilt: now ?? null,
        same: differences.length === 0,
        differences: differences.map((difference) => ({ ...difference, said: differenceText(difference) })),
      })),
    })),
  };
}
