import type { RecipeText } from '../adapters/recipe-directory.ts';
import { type ErrorReport, RegrowError, reportError } from '../errors.ts';
import { parseRecipe, type Recipe } from '../model/recipe/recipe.ts';
import { problemOfAnnotation, type UpdateProblem, updateProblems } from '../model/recipe/update-check.ts';
import { lineAt } from '../model/recipe/yaml.ts';
import { chooseSource } from '../watch/choice.ts';
import { releaseSources } from '../watch/registry.ts';

/** Something that `regrow config check --recipes` tells of one recipe. */
export interface RecipeFinding extends Pick<ErrorReport, 'code' | 'message' | 'remedy' | 'package' | 'line' | 'field'> {
  readonly severity: 'error' | 'warning';
  readonly file: string;
}

/** What is known of a folder so far: two recipes must not make the same package. */
export type FilesByPackage = Map<string, string>;

/** Everything that is wrong with one recipe, in the order of its lines. One that cannot be read has that one finding. */
export function findingsOfRecipe({ path, text }: RecipeText, known: FilesByPackage): readonly RecipeFinding[] {
  try {
    const { recipe, problems } = parseRecipe(path, text);
    const { name } = recipe.package;
    const unknown = problems.map(({ path: field, line, message }): RecipeFinding => {
      const where = { file: path, package: name, field, ...(line === undefined ? {} : { line }) };
      return {
        severity: 'error',
        code: 'recipe.key-unknown',
        message,
        remedy: 'correct the key, or take it out',
        ...where,
      };
    });
    const update = [...updateProblems(recipe)];
    // A pattern that is wrong is wrong for the place too: that is said once.
    const said = new Set(update.map((problem) => problem.path.join('.')));
    const place = [...placeProblems(recipe)].filter((problem) => !said.has(problem.path.join('.')));
    const others = [...update, ...place, ...nameProblems(recipe, path, known)];
    const found = others.map(({ severity, code, message, remedy, path: keys }): RecipeFinding => {
      const line = lineAt(text, keys);
      const where = { file: path, package: name, field: keys.join('.'), ...(line === undefined ? {} : { line }) };
      return { severity, code, message, remedy, ...where };
    });
    return [...unknown, ...found].toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
  } catch (thrown) {
    if (!(thrown instanceof RegrowError)) throw thrown;
    const { retry: _, ...report } = reportError(thrown);
    return [{ severity: 'error', ...report, file: path }];
  }
}

/** An update whose place is none that regrow can watch, or an annotation that names none. */
function* placeProblems(recipe: Recipe): Generator<UpdateProblem> {
  const { update } = recipe;
  try {
    if (chooseSource(recipe) !== undefined || update?.enabled !== true) return;
  } catch (thrown) {
    if (!(thrown instanceof RegrowError)) throw thrown;
    yield problemOfAnnotation(thrown);
    return;
  }
  const kinds = ['github', 'git', 'release-monitor', 'oci', 'version-data'] as const;
  const kind = kinds.find((one) => update[one] !== undefined);
  const remedy = 'correct the place, or name another with the annotation dev.regrow.source (docs/watching.md)';
  if (kind === undefined) {
    const message = 'updates are on, but the block names no place, and none can be read from the address of the source';
    yield { severity: 'error', code: 'recipe.source-invalid', path: ['update'], message, remedy };
  } else if (releaseSources.some((source) => source.kind === kind)) {
    const written = update[kind]?.['identifier'];
    const named =
      typeof written === 'string'
        ? `${JSON.stringify(written)} is no place of kind ${kind}`
        : `${kind} finds no place in this recipe`;
    yield { severity: 'error', code: 'recipe.source-invalid', path: ['update', kind], message: named, remedy };
  } else {
    const message = `regrow has no source of kind ${kind}: new versions are not seen`;
    yield { severity: 'warning', code: 'recipe.source-invalid', path: ['update', kind], message, remedy };
  }
}

function* nameProblems({ package: { name } }: Recipe, path: string, known: FilesByPackage): Generator<UpdateProblem> {
  const other = known.get(name);
  if (other === undefined) known.set(name, path);
  else {
    const message = `${other} and ${path} both make ${name}; the first one counts`;
    const remedy = 'give one of them another name, or remove it';
    yield { severity: 'error', code: 'recipe.malformed', path: ['package', 'name'], message, remedy };
  }
}
