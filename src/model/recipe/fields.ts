import { z } from 'zod';

/**
 * How a recipe's fields are read. The YAML reader gives text for every scalar; a key with nothing after it counts as left
 * out, as it does for melange. Lists and maps that are left out are empty.
 */
export const text = z.string();

export const flag = z
  .string()
  .regex(/^(?:true|false|yes|no|on|off)$/i, 'expected true or false')
  .transform((word) => /^(?:true|yes|on)$/i.test(word));

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
