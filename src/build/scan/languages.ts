import { dependencyName } from '../../model/package-set.ts';
import type { Findings, ScanInput } from './findings.ts';

/** What a pattern captures of the paths, in path order. */
function matches(input: ScanInput, pattern: RegExp): readonly string[] {
  return input.entries.flatMap(({ path }) => pattern.exec(path)?.[1] ?? []);
}

/**
 * Interpreters that modules belong to: `python-X.Y-base` for the last site-packages, `ruby-X.Y` for gems, `perl~V` for modules
 * in `/usr/lib/perlV/*_perl`; and what reads the pages of a `-doc` package. A recipe that names the interpreter itself has the
 * last word.
 */
export function scanLanguages(input: ScanInput): Findings {
  const declared = input.declaredDepends.map(dependencyName);
  const depends: string[] = [];
  const python = matches(input, /(?:^|\/)python([^/]+)\/site-packages$/).at(-1);
  if (python !== undefined && !declared.some((name) => name.startsWith('python')))
    depends.push(`python-${python}-base`);
  const [ruby] = matches(input, /^(?:usr\/)?lib\/ruby\/gems\/(\d+\.\d+)\.\d+\/gems$/);
  if (ruby !== undefined && !declared.some((name) => name === 'ruby' || name.startsWith('ruby-'))) {
    depends.push(`ruby-${ruby}`);
  }
  const [perl] = [/^usr\/lib\/perl(\d[^/]*)\/[^/]*_perl$/, /^lib\/perl(\d[^/]*)\/[^/]*_perl$/].flatMap((pattern) =>
    matches(input, pattern),
  );
  if (perl !== undefined && !declared.includes('perl')) depends.push(`perl~${perl}`);
  if (input.name.endsWith('-doc')) {
    if (matches(input, /^(usr\/share\/man)\//).length > 0) depends.push('man-db');
    if (matches(input, /^(usr\/share\/info)\//).length > 0) depends.push('texinfo');
  }
  return { provides: [], depends };
}
