import { type ErrorCode, RegrowError } from '../../errors.ts';
import { compileGoPattern, unknownGroups } from '../go-pattern.ts';
import { annotationPrefix } from './annotations.ts';
import type { Recipe } from './recipe-schema.ts';
import type { UpdateBlock } from './update-block.ts';

/** Something about a recipe that keeps it from being updated as it says. */
export interface UpdateProblem {
  /** `error`: it does something else than it says, or nothing. `warning`: it may be meant so. */
  readonly severity: 'error' | 'warning';
  readonly code: ErrorCode;
  /** Keys down to the value. */
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly remedy: string;
}

/**
 * What is wrong with the patterns and the `update:` block of a recipe, as far as the recipe alone tells; whether there is such a
 * place as it names is for those who know the places.
 */
export function updateProblems(recipe: Recipe): readonly UpdateProblem[] {
  return [...annotationProblems(recipe), ...patternProblems(recipe), ...blockProblems(recipe)];
}

/** Annotations that cannot be read are left: who chooses a source from them is told why. */
function* annotationProblems(recipe: Recipe): Generator<UpdateProblem> {
  const key = `${annotationPrefix}pattern`;
  const pattern = recipe.package.annotations[key];
  if (pattern !== undefined && pattern !== '') yield* patternProblem(pattern, ['package', 'annotations', key]);
}

/** What was thrown about an annotation, with its place. */
export function problemOfAnnotation({ code, message, remedy, where }: RegrowError): UpdateProblem {
  const key = where.field?.replace('package.annotations.', '') ?? '';
  return problem(code, ['package', 'annotations', key], message, remedy ?? 'correct it, or take it out');
}

function* patternProblems({ update, 'var-transforms': variables }: Recipe): Generator<UpdateProblem> {
  for (const [index, pattern] of (update?.['ignore-regex-patterns'] ?? []).entries()) {
    yield* patternProblem(pattern, ['update', 'ignore-regex-patterns', index]);
  }
  for (const [index, { match, replace }] of (update?.['version-transform'] ?? []).entries()) {
    yield* patternProblem(match, ['update', 'version-transform', index, 'match'], replace);
  }
  for (const [index, { match, replace }] of variables.entries()) {
    yield* patternProblem(match, ['var-transforms', index, 'match'], replace);
  }
}

function* patternProblem(source: string, path: UpdateProblem['path'], replace = ''): Generator<UpdateProblem> {
  try {
    const unknown = unknownGroups(compileGoPattern(source), replace);
    if (unknown.length === 0) return;
    const names = unknown.map((name) => `$${name}`).join(', ');
    const text = `${JSON.stringify(replace)} names the group ${names}, which ${JSON.stringify(source)} does not have: nothing is put in its place`;
    const [, number, rest] = /^(\d+)(.+)$/.exec(unknown[0] ?? '') ?? [];
    const remedy =
      number === undefined
        ? 'name a group that the pattern has'
        : `put the name into braces where it ends: \${${number}}${rest}, not $${number}${rest}`;
    yield problem('recipe.pattern-invalid', [...path.slice(0, -1), 'replace'], text, remedy);
  } catch (thrown) {
    if (!(thrown instanceof RegrowError)) throw thrown;
    yield problem(thrown.code, path, thrown.message, thrown.remedy ?? 'write the pattern in RE2 syntax');
  }
}

function* blockProblems({ update, package: { name } }: Recipe): Generator<UpdateProblem> {
  const turnOff = 'write `enabled: true`, or `enabled: false` with an `exclude-reason`';
  if (update === undefined) {
    const text = `${name} has no update: block: its new versions are not looked for`;
    yield {
      ...problem('recipe.update-ineffective', ['package', 'name'], text, `add one; ${turnOff}`),
      severity: 'warning',
    };
    return;
  }
  if (update.enabled === true) yield* fruitlessFilter(update);
  else if (update.enabled === undefined && update['exclude-reason'] === undefined) {
    const text = 'enabled is left out, which means false: the rest of the block does nothing';
    yield { ...problem('recipe.update-ineffective', ['update'], text, turnOff), severity: 'warning' };
  }
}

/**
 * A tag that passes the filter begins with the filter's prefix; where neither the strip nor a transform takes its first letter
 * away, what is left is never a version: those begin with a digit.
 */
function* fruitlessFilter(update: UpdateBlock): Generator<UpdateProblem> {
  if (update['version-transform'].length > 0 || update['version-separator'] !== undefined) return;
  for (const kind of ['github', 'git', 'oci'] as const) {
    const block = update[kind];
    const key = block?.['tag-filter-prefix'] === undefined ? 'tag-filter' : 'tag-filter-prefix';
    const prefix = block?.['tag-filter-prefix'] ?? update.github?.['tag-filter'] ?? '';
    const strip = block?.['strip-prefix'] ?? '';
    if (block === undefined || prefix === '' || strip.startsWith(prefix)) continue;
    const left = prefix.startsWith(strip) ? prefix.slice(strip.length) : prefix;
    if (/^\d|^$/.test(left)) continue;
    const text = `only tags that begin with ${JSON.stringify(prefix)} pass the filter, and nothing takes it away: none of them is a version`;
    yield problem('recipe.update-ineffective', ['update', kind, key], text, `add \`strip-prefix: ${prefix}\` below`);
  }
}

function problem(code: ErrorCode, path: UpdateProblem['path'], message: string, remedy: string): UpdateProblem {
  return { severity: 'error', code, path, message, remedy };
}
