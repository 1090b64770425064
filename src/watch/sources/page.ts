import { RegrowError } from '../../errors.ts';
import { compileGoPattern } from '../../model/go-pattern.ts';
import { annotationPrefix } from '../../model/recipe/annotations.ts';
import { answerInvalid } from '../document.ts';
import { highestFirst, identifierOf, pollDocument } from '../observe.ts';
import { findVersions, keyWithPattern, patternOf, splitPattern } from '../pattern.ts';
import type { ReleaseSource } from '../source.ts';

/** A list of files has some hundred kilobytes; what is larger is no such list. */
const limit = 4 * 1024 * 1024;

/**
 * A page, or any other text: the recipe's `dev.regrow.pattern` runs over it as it is, be it HTML, JSON or a list of lines, and its first
 * group is the version. Pages say neither an order nor dates. Keys: `page:URL PATTERN`.
 */
export const pageSource: ReleaseSource = {
  kind: 'page',
  key: () => undefined,
  readsPattern: true,

  annotated(identifier, recipe) {
    const url =
      /^https?:\/\/[^\s${}]+$/i.test(identifier) && URL.canParse(identifier) ? new URL(identifier) : undefined;
    if (url === undefined || url.username !== '' || url.password !== '') return undefined;
    url.hash = '';
    const pattern = patternOf(recipe);
    if (pattern !== undefined) return keyWithPattern(`page:${url.href}`, pattern);
    throw new RegrowError('recipe.annotation-invalid', `${recipe.package.name}: a page needs a pattern`, {
      package: recipe.package.name,
      field: `package.annotations.${annotationPrefix}pattern`,
      remedy: `add ${annotationPrefix}pattern, whose first group is the version: foo-([0-9.]+)\\.tar\\.gz`,
    });
  },

  poll(request, ports) {
    const { place: url, pattern = '' } = splitPattern(identifierOf(request.source));
    return pollDocument(request, ports, { url, limit, html: true }, ({ text }) => {
      const versions = findVersions(compileGoPattern(pattern), text, url);
      // A page that changed must not look like a project that rests.
      if (versions.length === 0) throw answerInvalid(url, `has nothing that ${JSON.stringify(pattern)} finds`);
      return highestFirst(versions.map((tag) => ({ tag, prerelease: false })));
    });
  },
};
