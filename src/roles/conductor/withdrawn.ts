import { reportError } from '../../errors.ts';
import type { Problem } from '../../model/plan.ts';
import type { Generation, Withdrawn } from '../../model/publication.ts';
import type { PublishedResult } from '../../model/result.ts';
import { withdrawnError } from '../../model/withdrawal.ts';
import type { ConductorContext } from './context.ts';
import type { RecipeFile } from './recipes.ts';
import type { World } from './world.ts';

/** What is wrong with a recipe whose very version was taken out of the repository: it is neither built nor published again. */
export function withdrawnProblem({ generation }: Pick<World, 'generation'>, file: RecipeFile): Problem | undefined {
  const { name, version, epoch } = file.recipe.package;
  const full = `${version}-r${epoch}`;
  const found = generation?.withdrawn?.find((one) => one.origin === name && one.version === full);
  if (found === undefined) return undefined;
  const { code, message, remedy } = reportError(withdrawnError(found));
  return {
    area: 'publish',
    name,
    code,
    message,
    file: file.path,
    field: 'package.epoch',
    ...(remedy === undefined ? {} : { remedy }),
  };
}

/** Tells what people took out of the repository in a generation, or held back, or freed. */
export async function tellWithdrawn({ book }: Pick<ConductorContext, 'book'>, generation: Generation): Promise<void> {
  const { generation: number, at, withdrawn = [], rolledBackTo, parent } = generation;
  for (const { origin, version, reason } of withdrawn.filter(
    (one) => one.at === at && one.rolledBackTo === undefined,
  )) {
    await book.tell({
      id: `withdrawn/${number}/${origin}`,
      kind: 'withdrawn',
      package: origin,
      text: `${origin} ${version} is withdrawn in generation ${number}: ${reason}`,
      facts: { version, generation: number },
      at,
    });
  }
  const held = withdrawn.filter((one) => one.rolledBackTo !== undefined).length;
  const before = parent === undefined ? undefined : book.get('publication', String(parent))?.value.withdrawn;
  const isOut = ({ origin, version }: Withdrawn) =>
    withdrawn.some((one) => one.origin === origin && one.version === version);
  const isUndone = before?.some((one) => one.rolledBackTo !== undefined && !isOut(one)) === true;
  if (rolledBackTo === undefined && !isUndone) return;
  await book.tell({
    id: `rolled-back/${number}`,
    kind: 'rolled-back',
    text:
      rolledBackTo === undefined
        ? `what a rollback held back may be published again since generation ${number}`
        : `generation ${number} has what generation ${rolledBackTo} had; ${held} newer versions are held back`,
    facts: { generation: number, ...(rolledBackTo === undefined ? {} : { to: rolledBackTo }) },
    at,
  });
}

/** Tells that the publisher did not do what a person ordered. */
export async function tellUndone({ book }: Pick<ConductorContext, 'book'>, result: PublishedResult): Promise<void> {
  const { effect, failure, at } = result;
  const [order] = /^(withdraw|rollback)-/.exec(effect) ?? [];
  if (order === undefined || failure === undefined) return;
  await book.tell({
    id: `problem/${effect}`,
    kind: 'problem',
    text: `${order.slice(0, -1)} was not done: ${failure.message}`,
    facts: failure.code === undefined ? {} : { code: failure.code },
    at,
  });
}
