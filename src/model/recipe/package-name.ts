import { type ErrorWhere, RegrowError } from '../../errors.ts';

/**
 * What a package may be called: names stand in dependencies, where apk gives `@ < > = ~ ! :` and spaces meanings of their own,
 * and are parts of file names, object keys and jobs.
 */
export const packageName = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/;
export const packageNameRule =
  'a package name is up to 128 letters, digits and . _ + - and starts with a letter or a digit';

/** Throws recipe.malformed. */
export function checkPackageName(name: string, where: ErrorWhere): void {
  if (packageName.test(name)) return;
  throw new RegrowError(
    'recipe.malformed',
    `${where.package}: ${where.field}: ${JSON.stringify(name)}: ${packageNameRule}`,
    { ...where, remedy: 'give it such a name' },
  );
}
