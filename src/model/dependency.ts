import { RegrowError } from '../errors.ts';
import { compareApkVersions, isApkVersion, matchesFuzzily } from './apk-version.ts';

export const dependencyOperators = ['=', '<', '>', '<=', '>=', '~'] as const;
export type DependencyOperator = (typeof dependencyOperators)[number];

/** One entry of a `depends`, `provides` or world list: `so:libz.so.1`, `py3.13-foo~1.2`, `!bash`, `curl@edge`. */
export interface Dependency {
  readonly name: string;
  readonly operator?: DependencyOperator;
  readonly version?: string;
  /** `!name`: whatever matches must not be installed. */
  readonly conflict: boolean;
  /** `@tag`: the repository it has to come from. */
  readonly pin?: string;
}

const grammar = /^(!?)([^\s<>=~!@]+)(?:(=~|~=|[<>]=|[=<>~])([^\s<>=@]+))?(?:@([^\s@]+))?$/;

/** `=~`, which apk-tools prints, and `~=` mean the same as `~`. Throws recipe.malformed. */
export function parseDependency(text: string): Dependency {
  const match = grammar.exec(text.trim());
  const [, bang, name, written, version, pin] = match ?? [];
  const operator = dependencyOperators.find((o) => o === written) ?? (written === undefined ? undefined : '~');
  if (name === undefined || (version !== undefined && !isApkVersion(version))) {
    throw new RegrowError('recipe.malformed', `${JSON.stringify(text)} is not a dependency that apk can read`, {
      remedy: 'write NAME, or NAME with one of = < > <= >= ~ and a version; ! in front for a conflict',
    });
  }
  return {
    name,
    ...(operator === undefined || version === undefined ? {} : { operator, version }),
    conflict: bang === '!',
    ...(pin === undefined ? {} : { pin }),
  };
}

/** A dependency as apk writes it. */
export function printDependency(dependency: Dependency): string {
  const { name, operator = '', version = '', conflict, pin } = dependency;
  return `${conflict ? '!' : ''}${name}${operator}${version}${pin === undefined ? '' : `@${pin}`}`;
}

/**
 * Whether a package or provide of the dependency's name at `version` is one that the dependency speaks of; of a conflict,
 * whether it is what must not be there. `version` undefined is a provide without version: it never meets a constraint.
 */
export function satisfies(version: string | undefined, dependency: Dependency): boolean {
  const { operator, version: wanted } = dependency;
  if (operator === undefined || wanted === undefined) return true;
  if (version === undefined) return false;
  if (operator === '~') return matchesFuzzily(version, wanted);
  const order = compareApkVersions(version, wanted);
  switch (operator) {
    case '=':
      return order === 0;
    case '<':
      return order < 0;
    case '>':
      return order > 0;
    case '<=':
      return order <= 0;
    case '>=':
      return order >= 0;
  }
}
