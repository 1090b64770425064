import { dependencyName } from '../../model/package-set.ts';
import type { Findings, ScanInput } from './findings.ts';

/** The first capture of a pattern over all paths, in path order. */
function firstMatch(input: ScanInput, pattern: RegExp): string | undefined {
  for (const entry of input.entries) {
    const match = pattern.exec(entry.path);
    if (match !== null) return match[1];
  }
  return undefined;
}

/**
 * Interpreters that modules belong to: `python-X.Y-base` for site-packages, `ruby-X.Y` for gems, `perl~V` for vendor and
 * site modules; and what reads the pages of a `-doc` package. A recipe that names the interpreter itself has the last word.
 */
export function scanLanguages(input: ScanInput): Findings {
  const declared = input.declaredDepends.map(dependencyName);
  const depends: string[] = [];
  const python = firstMatch(input, /(?:^|\/)python(\d+\.\d+)\/site-packages(?:\/|$)/);
  if (python !== undefined && !declared.some((name) => name.startsWith('python')))
    depends.push(`python-${python}-base`);
  const ruby = firstMatch(input, /^usr\/lib\/ruby\/gems\/(\d+\.\d+)\.\d+\/gems(?:\/|$)/);
  if (ruby !== undefined && !declared.some((name) => name === 'ruby' || name.startsWith('ruby-'))) {
    depends.push(`ruby-${ruby}`);
  }
  const perl = firstMatch(input, /^usr\/(?:lib|share)\/perl5\/((?:vendor|site)_perl)\//);
  if (perl !== undefined && !declared.includes('perl')) {
    depends.push(input.perlVersion === undefined ? 'perl' : `perl~${input.perlVersion}`);
  }
  if (input.name.endsWith('-doc')) {
    if (firstMatch(input, /^(usr\/share\/man)\//) !== undefined) depends.push('man-db');
    if (firstMatch(input, /^(usr\/share\/info)\//) !== undefined) depends.push('texinfo');
  }
  return { provides: [], depends };
}
