import { type Matcher, RE2JS } from 're2js';
import { type ErrorWhere, RegrowError } from '../errors.ts';

/**
 * Most instructions of a compiled pattern. Time is linear in the input, but each of its characters may cost as much as all of them;
 * the largest of the 2,204 patterns of a real distribution has 44.
 */
const mostInstructions = 150;

/**
 * A regular expression of a recipe: Go's, which are RE2. JavaScript's own engine reads some of them differently (`(?i)`), and
 * can be stalled by one; this one takes time linear in the input. Throws recipe.pattern-invalid, also for one that is too large.
 */
export function compileGoPattern(source: string, where: ErrorWhere = {}): RE2JS {
  const invalid = (what: string, remedy: string, cause?: unknown): RegrowError => {
    const place = [where.package, where.field].filter((part) => part !== undefined).join(': ');
    const message = `${place === '' ? '' : `${place}: `}${JSON.stringify(source)} ${what}`;
    return new RegrowError('recipe.pattern-invalid', message, { ...where, remedy, cause });
  };
  let pattern: RE2JS;
  try {
    pattern = RE2JS.compile(source);
  } catch (cause) {
    throw invalid(
      'is not an RE2 pattern',
      'write the pattern in RE2 syntax; it has no look-around and no back-references',
      cause,
    );
  }
  if (pattern.programSize() <= mostInstructions) return pattern;
  throw invalid('is too large a pattern', 'write `+` or `*` instead of a high count such as {1,500}');
}

/**
 * Every match replaced as by Go's `Regexp.ReplaceAllString`: `$1`, `${1}`, `$name` and `$$`, names as long as they can be
 * (`$1_x` is the group `1_x`, which is empty), and no empty match right after the match before it.
 */
export function replaceAllGo(pattern: RE2JS, input: string, template: string): string {
  const matcher = pattern.matcher(input);
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

const groupReference = /\$(?:\$|\{(\w+)\}|(\w+))/g;

function expand(matcher: Matcher, template: string): string {
  return template.replace(groupReference, (written, braced?: string, bare?: string) => {
    const name = braced ?? bare;
    return name === undefined ? written.slice(1) : group(matcher, name);
  });
}

/** Groups that a replacement names and the pattern does not have: Go puts nothing in their place, and says nothing. */
export function unknownGroups(pattern: RE2JS, template: string): readonly string[] {
  const named = pattern.namedGroups();
  return [...template.matchAll(groupReference)].flatMap(([, braced, bare]) => {
    const name = braced ?? bare;
    if (name === undefined) return [];
    const isKnown = /^\d+$/.test(name) ? Number(name) <= pattern.groupCount() : Object.hasOwn(named, name);
    return isKnown ? [] : [name];
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
