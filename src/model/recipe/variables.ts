import { RegrowError } from '../../errors.ts';
import { compileGoPattern, replaceAllGo } from '../go-pattern.ts';
import type { Target } from '../target.ts';
import { checkPackageName } from './package-name.ts';
import type { Recipe, Subpackage } from './recipe-schema.ts';
import { type Scope, scopeOf, substitute, substituteKnown } from './substitute.ts';
import { gnuTriplet, goArch, rustTriplet } from './triplets.ts';

/** Where sources are unpacked and steps begin; melange's workspace. */
export const workDirectory = '/home/build';
/** Below it, one directory for each package. */
export const outputDirectory = `${workDirectory}/melange-out`;

/**
 * Variables that hold anywhere in a recipe: `package.*`, `vars.*`. A variable may use others, whatever their order; the
 * transforms come after them, one after the other. Throws recipe.pattern-invalid, and recipe.variable-unknown for a
 * transform of what is not there.
 */
export function recipeScope(recipe: Recipe): Scope {
  const { name, version, epoch, description = '' } = recipe.package;
  const values = new Map([
    ['package.name', name],
    ['package.version', version],
    ['package.epoch', String(epoch)],
    ['package.full-version', `${version}-r${epoch}`],
    ['package.description', description],
    ['package.srcdir', workDirectory],
  ]);
  resolveVariables(recipe, values);
  for (const [index, { from, match, replace, to }] of recipe['var-transforms'].entries()) {
    const where = { package: name, field: `var-transforms.${index}` };
    const input = substitute(from, scopeOf(values), { ...where, field: `${where.field}.from` });
    const pattern = compileGoPattern(match, { ...where, field: `${where.field}.match` });
    values.set(`vars.${to}`, replaceAllGo(pattern, input, replace));
  }
  // Variables may also use what a transform makes.
  resolveVariables(recipe, values);
  return scopeOf(values);
}

/** Sets `vars.*` that are not set or not complete yet, as far as what they refer to is known; a circle stays as written. */
function resolveVariables(recipe: Recipe, values: Map<string, string>): void {
  const open = new Set<string>();
  const lookup: Scope = (name) => {
    const known = values.get(name);
    if (known !== undefined && !known.includes('${{')) return known;
    const key = name.startsWith('vars.') ? name.slice('vars.'.length) : '';
    const written = known ?? (Object.hasOwn(recipe.vars, key) ? recipe.vars[key] : undefined);
    if (written === undefined || open.has(name)) return undefined;
    open.add(name);
    const value = substituteKnown(written, lookup);
    open.delete(name);
    if (open.size === 0 || !value.includes('${{')) values.set(name, value);
    return value;
  };
  for (const key of Object.keys(recipe.vars)) lookup(`vars.${key}`);
}

/** A subpackage as it is after ranges: with what `range.key` and `range.value` stand for. */
export interface SubpackageInstance {
  readonly subpackage: Subpackage;
  readonly name: string;
  readonly scope: Scope;
}

/** One instance of each subpackage, or one for each item of its range, sorted by key. Conditions are not looked at. */
export function subpackageInstances(recipe: Recipe, scope: Scope): SubpackageInstance[] {
  return recipe.subpackages.flatMap((subpackage, index) => {
    const where = { package: recipe.package.name, field: `subpackages.${index}.name` };
    const instance = (inner: Scope): SubpackageInstance => {
      const name = substitute(subpackage.name, inner, where);
      checkPackageName(name, where);
      return { subpackage, name, scope: scopeOf(new Map([['subpkg.name', name]]), inner) };
    };
    if (subpackage.range === undefined || subpackage.range === '') return [instance(scope)];
    const items = recipe.data.find((data) => data.name === subpackage.range)?.items;
    if (items === undefined) {
      const field = `subpackages.${index}.range`;
      throw new RegrowError(
        'recipe.malformed',
        `${where.package}: ${field}: there is no data named ${subpackage.range}`,
        {
          package: where.package,
          field,
          remedy: 'add it under `data`, or correct the name',
        },
      );
    }
    return Object.keys(items)
      .toSorted()
      .map((key) => {
        const value = substituteKnown(items[key] ?? '', scope);
        const range = new Map([
          ['range.key', substituteKnown(key, scope)],
          ['range.value', value],
        ]);
        return instance(scopeOf(range, scope));
      });
  });
}

/** Variables of the build as a whole: the target, and where each package's files go. */
export function buildScope(recipe: Recipe, target: Target, packageNames: Iterable<string>, outer: Scope): Scope {
  const { arch, libc } = target;
  const values = new Map([
    ['build.arch', arch],
    ['build.goarch', goArch(arch)],
    ['host.triplet.gnu', gnuTriplet(arch, libc)],
    ['host.triplet.rust', rustTriplet(arch, libc)],
    ['cross.triplet.gnu.glibc', gnuTriplet(arch, 'gnu')],
    ['cross.triplet.gnu.musl', gnuTriplet(arch, 'musl')],
    ['cross.triplet.rust.glibc', rustTriplet(arch, 'gnu')],
    ['cross.triplet.rust.musl', rustTriplet(arch, 'musl')],
    ['targets.outdir', outputDirectory],
    ['targets.destdir', `${outputDirectory}/${recipe.package.name}`],
  ]);
  for (const name of packageNames) values.set(`targets.package.${name}`, `${outputDirectory}/${name}`);
  for (const option of Object.keys(recipe.options)) values.set(`options.${option}.enabled`, 'false');
  return scopeOf(values, outer);
}

/** Variables of one package's pipelines. */
export function packageScope(name: string, subpackage: boolean, outer: Scope): Scope {
  const directory = `${outputDirectory}/${name}`;
  const values = new Map([
    ['context.name', name],
    ['targets.contextdir', directory],
  ]);
  if (subpackage) values.set('targets.subpkgdir', directory);
  return scopeOf(values, outer);
}
