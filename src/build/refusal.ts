import { RegrowError } from '../errors.ts';

/** Something that a recipe asks for and an engine cannot give. */
export interface Refusal {
  /** `environment.accounts` */
  readonly field: string;
  readonly what: string;
  readonly remedy: string;
}

/** Throws build.refused that names the recipe, the first field, and all reasons. */
export function refuseUnless(
  refusals: readonly Refusal[],
  where: { readonly package: string; readonly file: string },
  engine = 'the host engine',
): void {
  const first = refusals[0];
  if (first === undefined) return;
  const reasons = refusals.map((one) => `${one.field}: ${one.what}`).join('; ');
  throw new RegrowError('build.refused', `${engine} cannot build ${where.package}: ${reasons}`, {
    ...where,
    field: first.field,
    remedy: first.remedy,
  });
}
