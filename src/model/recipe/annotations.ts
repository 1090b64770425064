import { z } from 'zod';
import { RegrowError } from '../../errors.ts';
import type { Recipe } from './recipe.ts';

/** What stands before every key that regrow reads; melange keeps annotations as they are, so the recipe stays melange's. */
export const annotationPrefix = 'dev.regrow.';

const words = z
  .string()
  .transform((text) => text.split(/[\s,]+/).filter((word) => word !== ''))
  .pipe(z.array(z.string()));

const keysSchema = z.strictObject({
  /** Where releases are seen, `KIND:IDENTIFIER` (`npm:left-pad`): instead of what `update:` names. */
  source: z
    .string()
    .regex(/^[a-z-]+:\S+$/, 'write KIND:IDENTIFIER, as npm:left-pad')
    .optional(),
  /** RE2; its first group is the version. For sources that are a page or a document. */
  pattern: z.string().min(1).optional(),
  /** The version, or its leading part, that the package stays on. */
  pin: z.string().min(1).optional(),
  /** `any`: the version in its name does not limit which versions it takes. */
  stream: z.literal('any', 'write any, or take it out; dev.regrow.pin keeps a package on a version').optional(),
  /** Versions that are never proposed, with spaces or commas between them. */
  ignore: words.optional(),
  /** Updates wait; the text says why. */
  hold: z.string().min(1).optional(),
  /** ISO 8601 date or time from which on `hold` holds no more. */
  'hold-until': z.union([z.iso.date(), z.iso.datetime({ offset: true })]).optional(),
  /** Hours that a release of this package must be public before it is proposed. */
  'cooldown-hours': z.string().regex(/^\d+$/, 'write a whole number of hours').transform(Number).optional(),
});

/** An end of what does not begin would look as if it held. */
const annotationsSchema = keysSchema.refine(
  ({ hold, 'hold-until': until }) => until === undefined || hold !== undefined,
  {
    path: ['hold-until'],
    message: `nothing holds: say why in ${annotationPrefix}hold`,
  },
);

export type RecipeAnnotations = z.infer<typeof annotationsSchema>;

/**
 * What the recipe's `package.annotations` say to regrow. Throws recipe.annotation-invalid for a `dev.regrow.` key that there is
 * not, or a value that cannot be read.
 */
export function annotationsOf(recipe: Recipe): RecipeAnnotations {
  const ours = Object.entries(recipe.package.annotations).filter(([key]) => key.startsWith(annotationPrefix));
  if (ours.length === 0) return {};
  const parsed = annotationsSchema.safeParse(
    Object.fromEntries(ours.map(([key, value]) => [key.slice(annotationPrefix.length), value])),
  );
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const key = `${annotationPrefix}${unknown ?? String(issue?.path[0] ?? '')}`;
  const message = unknown === undefined ? (issue?.message ?? 'cannot be read') : 'there is no such annotation';
  throw new RegrowError('recipe.annotation-invalid', `${recipe.package.name}: ${key}: ${message}`, {
    package: recipe.package.name,
    field: `package.annotations.${key}`,
    remedy: `correct it, or take it out; docs/watching.md lists the annotations that begin with ${annotationPrefix}`,
  });
}
