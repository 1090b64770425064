import { hostEngineVersion } from '../build/host/engine.ts';
import { findRefusals } from '../build/host/refusals.ts';
import { melangeEngineVersion } from '../build/melange/engine.ts';
import type { Config } from '../config/schema.ts';
import { parseRecipe } from '../model/recipe/recipe.ts';
import type { ResolvedRecipe } from '../model/recipe/resolved.ts';
import { parseTarget } from '../model/target.ts';
import type { BuildNeed } from '../plan/build-need.ts';
import type { EngineSettings } from '../plan/lock-build.ts';

/** Versions of the engines that this regrow has. */
export const engineVersions = { host: hostEngineVersion, melange: melangeEngineVersion } as const;

/** Which engine builds what, as it is configured. */
export function engineSettings({ build }: Pick<Config, 'build'>): EngineSettings {
  const { engine, engines, melange } = build;
  const { version, runner, network } = melange;
  return {
    choiceOf: (origin) => (Object.hasOwn(engines, origin) ? (engines[origin] ?? engine) : engine),
    hostRefuses,
    versions: engineVersions,
    melange: { version, runner, network },
  };
}

/** Of each resolved recipe, which the conductor keeps as long as its text is the same: it is asked for in every round. */
const refused = new WeakMap<ResolvedRecipe, boolean>();

/** By what the recipe says. That no machine of its architecture may be there is not looked at: builders say so themselves. */
function hostRefuses({ recipe: { path, text }, resolved, target: name }: BuildNeed): boolean {
  const known = refused.get(resolved);
  if (known !== undefined) return known;
  const target = parseTarget(name);
  const { recipe } = parseRecipe(path, text);
  const found = findRefusals({ recipe, resolved, target, hostArch: target.arch }).length > 0;
  refused.set(resolved, found);
  return found;
}

/** Whether anything may be built with melange. */
export function usesMelange({ build }: Pick<Config, 'build'>): boolean {
  return [build.engine, ...Object.values(build.engines)].some((choice) => choice !== 'host');
}
