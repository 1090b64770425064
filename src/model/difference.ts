import { z } from 'zod';

/** One thing in which two packages that should be the same are not. */
export const differenceSchema = z.strictObject({
  /** Name of the package. */
  package: z.string(),
  /** Where in it: a path of its data, a file of its control (`.PKGINFO`), or `data`, `control` as a whole. Untrusted text. */
  path: z.string(),
  kind: z.enum([
    'missing',
    'type',
    'mode',
    'owner',
    'time',
    'link',
    'records',
    'field',
    'content',
    'order',
    'header',
    'compression',
  ]),
  /** What is to be said of that place: `has mode 755 and 644`. Untrusted text. */
  text: z.string(),
  /** Of the first byte that differs, from 0, where it is bytes that differ. */
  offset: z.number().int().nonnegative().optional(),
});

export type Difference = z.infer<typeof differenceSchema>;

/** `tool: usr/bin/tool has mode 755 and 644` */
export function differenceText({ package: name, path, text }: Difference): string {
  return `${name}: ${path} ${text}`;
}
