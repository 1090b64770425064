import { z } from 'zod';
import { type ErrorWhere, RegrowError } from '../../errors.ts';

/**
 * How a recipe's fields are read. The YAML reader gives text for every scalar; a key with nothing after it counts as left
 * out, as it does for melange. Lists and maps that are left out are empty.
 */
export const text = z.string();

/** What is read already stays as it is: parts of recipes travel in our own documents. */
export const flag = z.union(
  [
    z.boolean(),
    z
      .string()
      .regex(/^(?:true|false|yes|no|on|off)$/i)
      .transform((word) => /^(?:true|yes|on)$/i.test(word)),
  ],
  'expected true or false',
);

export const whole = z
  .string()
  .regex(/^\d{1,15}$/, 'expected a whole number')
  .transform(Number);

/** Text to text, with an empty value for a key with nothing after it. */
export const textMap = z
  .record(
    z.string(),
    z
      .string()
      .nullable()
      .transform((value) => value ?? ''),
  )
  .nullish()
  .transform((map) => map ?? {});

export const texts = list(z.string());

/** A field that may be left out. */
export function optional<S extends z.ZodType>(schema: S) {
  return schema.nullish().transform((value) => value ?? undefined);
}

/** A list that is empty where it is left out. */
export function list<S extends z.ZodType>(item: S) {
  return z
    .array(item)
    .nullish()
    .transform((items) => items ?? []);
}

/** A map that is empty where it is left out. */
export function mapOf<S extends z.ZodType>(value: S) {
  return z
    .record(z.string(), value)
    .nullish()
    .transform((map) => map ?? {});
}

/** Bytes: Linux takes no more than 128 KiB for one variable, and about 2 MiB for everything that a program is started with. */
const variableLimit = 100_000;
const variablesLimit = 400_000;

/** Refuses variables that no program can be started with. Throws recipe.malformed, naming the variable. */
export function checkVariables(variables: readonly (readonly [string, string])[], where: ErrorWhere): void {
  const refuse = (name: string, what: string, remedy: string) => {
    const field = `${where.field}.${JSON.stringify(name.slice(0, 60))}`;
    return new RegrowError('recipe.malformed', `${where.package}: ${field} ${what}`, { ...where, field, remedy });
  };
  let total = 0;
  for (const [name, value] of variables) {
    if (name === '' || /[=\0]/.test(name)) throw refuse(name, 'is no name of a variable', 'use letters, digits and _');
    if (value.includes('\0')) throw refuse(name, 'has a NUL in its value', 'take it out');
    const size = Buffer.byteLength(name) + Buffer.byteLength(value);
    total += size;
    if (size > variableLimit || total > variablesLimit) {
      const what = size > variableLimit ? `has ${size} bytes` : `and those before it have ${total} bytes`;
      throw refuse(
        name,
        `${what}: no program can be started with that`,
        'put long texts into a file beside the recipe',
      );
    }
  }
}
