import { type ErrorWhere, RegrowError } from '../../errors.ts';
import { type Scope, substitute } from './substitute.ts';

/** Inputs that a pipeline declares, with their defaults; undefined for one that has to be given. */
export type InputDefaults = Readonly<Record<string, string | undefined>>;

/** Hex digits that melange asks of an input of that name, whatever pipeline it is of (melange `pkg/build/pipeline.go`). */
const digits: Readonly<Record<string, number>> = {
  'expected-sha256': 64,
  'expected-sha512': 128,
  'expected-commit': 40,
};

/**
 * The inputs of a `uses:`, with defaults and variables put in. One that is given as empty counts as not given. What is given
 * may use the inputs of the pipelines around it, and else its own siblings; a default uses its own siblings first. Throws
 * recipe.malformed for an input that the pipeline does not have, lacks, or is no hash where one is due, and
 * recipe.variable-unknown.
 */
export function resolveInputs(
  uses: string,
  given: Readonly<Record<string, string>>,
  defaults: InputDefaults,
  outer: Scope,
  where: ErrorWhere,
): ReadonlyMap<string, string> {
  const refuse = (name: string, problem: string, remedy: string): RegrowError => {
    const message = `${where.package}: ${where.field}: ${problem}`;
    return new RegrowError('recipe.malformed', message, { ...where, field: `${where.field}.with.${name}`, remedy });
  };
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(defaults, name));
  if (unknown !== undefined) {
    const known = Object.keys(defaults).toSorted().join(', ');
    const remedy = known === '' ? 'take it out: it takes none' : `take it out, or correct its name: ${known}`;
    throw refuse(unknown, `${uses} has no input ${unknown}`, remedy);
  }
  const resolved = resolveGiven(given, outer, where);
  const open = new Set<string>();
  const own: Scope = (variable) => {
    const name = inputName(variable);
    if (name === undefined) return outer(variable);
    const known = resolved.get(name);
    if (known !== undefined && known !== '') return known;
    const value = defaults[name];
    if (value === undefined || open.has(name)) return known ?? outer(variable);
    open.add(name);
    const text = substitute(value, own, where);
    open.delete(name);
    resolved.set(name, text);
    return text;
  };
  for (const [name, fallback] of Object.entries(defaults)) {
    if (fallback === undefined && (resolved.get(name) ?? '') === '') {
      throw refuse(name, `${uses} needs the input ${name}`, `give ${name} under \`with\``);
    }
    const value = own(`inputs.${name}`) ?? '';
    const length = digits[name];
    if (value !== '' && length !== undefined && !(value.length === length && /^[\da-f]*$/i.test(value))) {
      throw refuse(name, `${name} is ${JSON.stringify(value)}, not ${length} hex digits`, 'write the whole hash');
    }
  }
  return resolved;
}

/** What a node says under `with`, without the pipeline's defaults. */
export function resolveGiven(
  given: Readonly<Record<string, string>>,
  outer: Scope,
  where: ErrorWhere,
): Map<string, string> {
  const open = new Set<string>();
  const siblings: Scope = (variable) => {
    const known = outer(variable);
    const name = inputName(variable);
    if (known !== undefined || name === undefined || open.has(name)) return known;
    return Object.hasOwn(given, name) ? resolve(name) : undefined;
  };
  const resolve = (name: string): string => {
    open.add(name);
    const value = substitute(given[name] ?? '', siblings, where);
    open.delete(name);
    return value;
  };
  return new Map(Object.keys(given).map((name) => [name, resolve(name)]));
}

/** Inputs over what is around them: those of outer pipelines stay known to inner ones. */
export function inputScope(inputs: ReadonlyMap<string, string>, outer: Scope): Scope {
  return (variable) => {
    const name = inputName(variable);
    return (name === undefined ? undefined : inputs.get(name)) ?? outer(variable);
  };
}

function inputName(variable: string): string | undefined {
  return variable.startsWith('inputs.') ? variable.slice('inputs.'.length) : undefined;
}
