import { describe, expect, test } from 'vitest';
import { configSchema } from '../../../src/config/schema.ts';
import { createPipelineLibrary } from '../../../src/model/recipe/pipeline.ts';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import { resolveRecipe } from '../../../src/model/recipe/resolve.ts';
import { parseTarget, type TargetName } from '../../../src/model/target.ts';
import type { BuildNeed } from '../../../src/plan/build-need.ts';
import { engineSettings, usesMelange } from '../../../src/roles/engine-settings.ts';
import { hostArch } from '../../../src/roles/host-engine.ts';
import { buildableArches } from '../../../src/roles/melange-engine.ts';

const configOf = (build: Record<string, unknown>) => configSchema.parse({ build });
const other = hostArch() === 'x86_64' ? 'aarch64' : 'x86_64';

function needOf(more: string, target: TargetName = 'x86_64-gnu'): BuildNeed {
  const text = `package:\n  name: jq\n  version: "1"\n  epoch: 0\n${more}`;
  const { recipe } = parseRecipe('jq.yaml', text);
  const resolved = resolveRecipe(recipe, { target: parseTarget(target), pipelines: createPipelineLibrary(new Map()) });
  return { target, resolved, recipe: { path: 'jq.yaml', text } } as unknown as BuildNeed;
}

describe('which engine builds what', () => {
  test('the one that is configured for the recipe, else for all', () => {
    const { choiceOf, melange } = engineSettings(
      configOf({ engine: 'auto', engines: { jq: 'melange', zlib: 'host' } }),
    );
    expect(['jq', 'zlib', 'curl', 'constructor'].map(choiceOf)).toEqual(['melange', 'host', 'auto', 'auto']);
    expect(melange).toEqual({ version: 'v0.59.1', runner: 'bubblewrap', network: false });
  });

  test('the host engine refuses a recipe for what it says, not for its architecture', () => {
    const { hostRefuses } = engineSettings(configOf({}));
    expect(hostRefuses(needOf(''))).toBe(false);
    expect(hostRefuses(needOf('', `${other}-musl`))).toBe(false);
    const capable = needOf('capabilities:\n  add: [CAP_NET_ADMIN]\n');
    expect([hostRefuses(capable), hostRefuses(capable)]).toEqual([true, true]);
  });

  test('a builder takes what it emulates only where melange may build it', () => {
    const melange = { arches: [other, hostArch()] };
    expect(buildableArches(configOf({ melange }))).toEqual([hostArch()]);
    for (const build of [{ engine: 'melange' }, { engine: 'auto' }, { engines: { jq: 'melange' } }]) {
      expect(usesMelange(configOf(build))).toBe(true);
      expect(buildableArches(configOf({ ...build, melange }))).toEqual([hostArch(), other]);
    }
  });
});
