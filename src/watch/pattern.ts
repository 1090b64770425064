import type { RE2JS } from 're2js';
import { RegrowError } from '../errors.ts';
import { compileGoPattern } from '../model/go-pattern.ts';
import { annotationPrefix, annotationsOf } from '../model/recipe/annotations.ts';
import type { Recipe } from '../model/recipe/recipe.ts';

/**
 * The key of a place whose versions a pattern finds: the pattern is part of it, so that recipes with the same place and the same
 * pattern are one look. Places have no space in them.
 */
export function keyWithPattern(place: string, pattern: string | undefined): string {
  return pattern === undefined ? place : `${place} ${pattern}`;
}

export function splitPattern(key: string): { readonly place: string; readonly pattern: string | undefined } {
  const space = key.indexOf(' ');
  return space < 0 ? { place: key, pattern: undefined } : { place: key.slice(0, space), pattern: key.slice(space + 1) };
}

/** The recipe's `dev.regrow.pattern`. Throws recipe.pattern-invalid where it is not RE2 or has no group, recipe.annotation-invalid. */
export function patternOf(recipe: Recipe): string | undefined {
  const { pattern } = annotationsOf(recipe);
  if (pattern === undefined) return undefined;
  const where = { package: recipe.package.name, field: `package.annotations.${annotationPrefix}pattern` };
  if (compileGoPattern(pattern, where).groupCount() > 0) return pattern;
  throw new RegrowError('recipe.pattern-invalid', `${where.package}: ${JSON.stringify(pattern)} has no group`, {
    ...where,
    remedy: 'put parentheses around the part that is the version: foo-([0-9.]+)\\.tar\\.gz',
  });
}

/** Milliseconds that one pattern may take for one document. */
const patience = 5_000;

/**
 * What the first group of a pattern finds in a text, each once, in the order of the text. Throws upstream.answer-invalid where it does
 * not come to an end: one search is linear in the text, but a pattern can make every match search all of it.
 */
export function findVersions(pattern: RE2JS, text: string, url: string): readonly string[] {
  const matcher = pattern.matcher(text);
  const found = new Set<string>();
  const start = performance.now();
  while (matcher.find()) {
    const version = matcher.group(1);
    if (version !== null && version !== '') found.add(version);
    if (performance.now() - start > patience) {
      throw new RegrowError(
        'upstream.answer-invalid',
        `${JSON.stringify(pattern.pattern())} takes too long for ${url}`,
        {
          remedy: 'make the pattern say more of what stands around the version',
        },
      );
    }
  }
  return [...found];
}
