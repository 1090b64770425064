import { type ErrorWhere, RegrowError } from '../../errors.ts';

/** The value of a variable, by its name without `${{` and `}}`; undefined where nothing defines it. */
export type Scope = (name: string) => string | undefined;

const reference = /\$\{\{ *([A-Za-z0-9][A-Za-z0-9._-]*) *\}\}/g;

/** Text with every `${{name}}` replaced. Throws recipe.variable-unknown for a name that the scope does not define. */
export function substitute(text: string, scope: Scope, where: ErrorWhere = {}): string {
  if (!text.includes('${{')) return text;
  return text.replace(reference, (_, name: string) => {
    const value = scope(name);
    if (value !== undefined) return value;
    const place = [where.package, where.field].filter((part) => part !== undefined).join(': ');
    throw new RegrowError(
      'recipe.variable-unknown',
      `${place === '' ? '' : `${place}: `}nothing defines the variable \${{${name}}}`,
      { ...where, remedy: 'define it under vars, var-transforms or data, or correct its name' },
    );
  });
}

/** The same, with names that the scope does not define left as they stand: what melange does outside of pipelines. */
export function substituteKnown(text: string, scope: Scope): string {
  if (!text.includes('${{')) return text;
  return text.replace(reference, (written, name: string) => scope(name) ?? written);
}

/** Names of all variables in a text. */
export function variablesIn(text: string): readonly string[] {
  return Array.from(text.matchAll(reference), ([, name = '']) => name);
}

/** A scope of fixed values; names that it lacks are looked up in `outer`. */
export function scopeOf(values: ReadonlyMap<string, string>, outer?: Scope): Scope {
  return (name) => values.get(name) ?? outer?.(name);
}
