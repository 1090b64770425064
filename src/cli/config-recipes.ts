import { setImmediate } from 'node:timers/promises';
import { readRecipeDirectory } from '../adapters/recipe-directory.ts';
import { paint, printable, type Style } from '../report/table.ts';
import type { Output } from './output.ts';
import { type FilesByPackage, findingsOfRecipe, type RecipeFinding } from './recipe-findings.ts';

/** Recipes between two looks at the terminal. */
const stride = 50;

/** `regrow config check --recipes`: reads every recipe of a folder. Exit code 1 where one has an error; warnings are told only. */
export async function checkRecipes(folder: string, json: boolean, output: Output): Promise<void> {
  const { recipes } = readRecipeDirectory(folder);
  const findings: RecipeFinding[] = [];
  const known: FilesByPackage = new Map();
  for (const [index, recipe] of recipes.entries()) {
    findings.push(...findingsOfRecipe(recipe, known));
    if (output.interactive && index % stride === 0) {
      output.progress(`${index} of ${recipes.length} recipes`);
      await setImmediate();
    }
  }
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const warnings = findings.length - errors;
  if (json) output.json({ recipes: recipes.length, errors, warnings, findings });
  else {
    output.write(findings.map((finding) => textOf(finding, output.style)).join(''));
    output.write(`${recipes.length} recipes read: ${count(errors, 'error')}, ${count(warnings, 'warning')}\n`);
  }
  if (errors > 0) output.exit(1);
}

/** The messages of the recipe reader name file and line themselves. */
function textOf({ severity, code, file, line, message, remedy }: RecipeFinding, style: Style): string {
  const at = line === undefined ? file : `${file}:${line}`;
  const text = message.startsWith(`${at}: `) ? message : `${at}: ${message}`;
  const first = `${paint(severity, severity === 'error' ? 'bad' : 'hold', style)} ${code}: ${printable(text)}\n`;
  return remedy === undefined ? first : `${first}  ${printable(remedy)}\n`;
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}
