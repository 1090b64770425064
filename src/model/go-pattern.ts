import { type Matcher, RE2JS } from 're2js';
import { type ErrorWhere, RegrowError } from '../errors.ts';

/**
 * Regular expressions of recipes: Go's, which are RE2. JavaScript's own engine reads some of them differently (`(?i)`), and
 * can be stalled by one. Time is linear in the input.
 */
export interface GoPattern {
  readonly source: string;
  /** Whether the pattern is found anywhere in the input. */
  matches(input: string): boolean;
  /** Every match replaced, with `$1`, `${1}`, `$name` and `$$` as Go's `Regexp.ReplaceAllString` reads them: `$1_x` is group `1_x`. */
  replaceAll(input: string, template: string): string;
}

/** Throws recipe.pattern-invalid. */
export function compileGoPattern(source: string, where: ErrorWhere = {}): GoPattern {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(source);
  } catch (cause) {
    throw new RegrowError('recipe.pattern-invalid', `${JSON.stringify(source)} is not an RE2 pattern`, {
      ...where,
      remedy: 'write the pattern in RE2 syntax; it has no look-around and no back-references',
      cause,
    });
  }
  return {
    source,
    matches: (input) => compiled.matcher(input).find(),
    replaceAll: (input, template) => replaceAll(compiled.matcher(input), input, template),
  };
}

/** Go leaves out an empty match that touches the end of the match before it. */
function replaceAll(matcher: Matcher, input: string, template: string): string {
  let result = '';
  let copied = 0;
  let lastEnd = -1;
  while (matcher.find()) {
    const start = matcher.start();
    const end = matcher.end();
    if (start === end && start === lastEnd) continue;
    result += input.slice(copied, start) + expand(matcher, template);
    copied = end;
    lastEnd = end;
  }
  return result + input.slice(copied);
}

function expand(matcher: Matcher, template: string): string {
  return template.replace(/\$(?:\$|\{(\w+)\}|(\w+))/g, (written, braced?: string, bare?: string) => {
    const name = braced ?? bare;
    return name === undefined ? written.slice(1) : group(matcher, name);
  });
}

/** Text of a group by number or name; empty where there is none, or it took no part in the match. */
function group(matcher: Matcher, name: string): string {
  if (/^\d+$/.test(name)) {
    const number = Number(name);
    return number <= matcher.groupCount() ? (matcher.group(number) ?? '') : '';
  }
  return Object.hasOwn(matcher.namedGroups, name) ? (matcher.group(name) ?? '') : '';
}
