import { createHmac } from 'node:crypto';
import { afterEach, expect, it } from 'vitest';
import {
  createSmallDistribution,
  fetchedRecipe,
  owner,
  recipe,
  type SmallDistribution,
} from './support/small-distribution.ts';

const secret = 'shared with GitHub';
let box: SmallDistribution | undefined;
afterEach(async () => {
  await box?.close();
  box = undefined;
});

/** A distribution that has asked everything that is due, and whose clock stands still from then on. */
async function begin(): Promise<SmallDistribution> {
  box = await createSmallDistribution({
    files: {},
    prepare: async (distribution) => ({ 'good.yaml': fetchedRecipe('good', await distribution.project('good')) }),
    daemon: { secrets: { webhookSecret: secret } },
  });
  const distribution = box;
  await distribution.until('good 1.0', async () => 'good-1.0-r0' in (await distribution.published()));
  return distribution;
}

function post(path: string, body?: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${box?.daemon().url ?? ''}${path}`, {
    method: 'POST',
    headers,
    ...(body === undefined ? {} : { body }),
  });
}

const titles = () => box?.os.pulls().map(({ title }) => title) ?? [];
const soon = { timeout: 20_000 };

it('a webhook of GitHub: the release is proposed at once, though its source is not due', async () => {
  const distribution = await begin();
  await distribution.release('good', '1.1');
  const body = JSON.stringify({ action: 'published', repository: { full_name: `${owner}/good` } });
  const answer = await post('/v1/hooks/github', body, {
    'content-type': 'application/json',
    'x-github-event': 'release',
    'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  });
  expect(answer.status).toBe(202);
  await expect.poll(titles, soon).toEqual(['good/1.1 package update']);
});

it('a poke of a recipe that came to main a moment ago: its source is asked without anyone having decided about it', async () => {
  const distribution = await begin();
  await distribution.project('late');
  await distribution.release('late', '1.1');
  await distribution.push({ 'late.yaml': recipe('late', { watched: true }) });
  const answer = await post('/v1/packages/late/poke');
  expect(answer.status).toBe(202);
  await expect.poll(titles, soon).toContain('late/1.1 package update');
});
