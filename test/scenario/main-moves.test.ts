import { afterEach, expect, it } from 'vitest';
import { createSmallDistribution, fetchedRecipe, type SmallDistribution } from './support/small-distribution.ts';

let box: SmallDistribution | undefined;
afterEach(async () => {
  await box?.close();
  box = undefined;
});

async function begin(good: (sha256: string) => string): Promise<SmallDistribution> {
  box = await createSmallDistribution({
    files: {},
    prepare: async (distribution) => ({ 'good.yaml': good(await distribution.project('good')) }),
  });
  const distribution = box;
  await distribution.until('good 1.0', async () => 'good-1.0-r0' in (await distribution.published()));
  return distribution;
}

it('a recipe that is mended on main: the red pull request is made again from it, and merges', async () => {
  const broken = (sha256: string) =>
    fetchedRecipe('good', sha256).replace('install -D', 'grep -q 1.0 data.txt && install -D');
  const distribution = await begin(broken);
  await distribution.release('good', '1.1');
  const red = () => {
    const head = distribution.os.pulls()[0]?.head;
    const statuses = head === undefined ? [] : distribution.os.statuses(head);
    return statuses.findLast(({ context }) => context === 'regrow')?.state === 'failure';
  };
  await distribution.until('a red pull request', red);
  const before = (await distribution.os.read('good.yaml', 'refs/heads/main')) ?? '';
  await distribution.push({ 'good.yaml': before.replace('grep -q 1.0', 'grep -q 1') });
  await distribution.until('good 1.1', async () => 'good-1.1-r0' in (await distribution.published()));
  expect(distribution.os.pulls()).toHaveLength(1);
  expect(await distribution.os.read('good.yaml', 'refs/heads/main')).toContain('grep -q 1 data.txt');
  expect(await distribution.problems()).toEqual([]);
});

it('a rule that keeps a green pull request from being merged: a problem that rests, and merges when the rule is met', async () => {
  const distribution = await begin((sha256) => fetchedRecipe('good', sha256));
  const message = 'At least 1 approving review is required';
  distribution.github.faults.add({
    path: '/merge',
    method: 'PUT',
    times: Number.POSITIVE_INFINITY,
    does: { kind: 'status', status: 405, message },
  });
  await distribution.release('good', '1.1');
  await distribution.until('the problem', async () =>
    (await distribution.problems()).some(({ code }) => code === 'forge.refused'),
  );
  distribution.github.forget();
  for (let minute = 0; minute < 8; minute += 1) {
    distribution.clock.advance(60_000);
    await distribution.daemon().tick();
    await new Promise((go) => setTimeout(go, 100));
  }
  const asked = distribution.github.requests.filter(({ path }) => path.endsWith('/merge'));
  expect(asked.length).toBeLessThanOrEqual(1);
  expect(await distribution.problems()).toMatchObject([{ area: 'forge', name: 'good', code: 'forge.refused' }]);
  distribution.github.faults.clear();
  await distribution.until('good 1.1', async () => 'good-1.1-r0' in (await distribution.published()));
  expect(distribution.os.pulls()).toMatchObject([{ title: 'good/1.1 package update' }]);
});
