import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api-server.ts';
import { createWorld, type World } from '../../support/report-world.ts';

const secret = 'a secret that GitHub has too';
let world: World;
let api: TestApi;

beforeEach(async () => {
  world = createWorld();
  // A token for people is no part of it.
  api = await startTestApi(world, { webhookSecret: secret, token: 'for people' });
});
afterEach(() => api.close());

const repository = { full_name: 'Acme/tool' };

interface Hook {
  readonly event: string;
  readonly body: string;
  readonly signature?: string;
  readonly type?: string;
}

async function send({ event, body, type = 'application/json', ...rest }: Hook) {
  const { signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}` } = rest;
  const headers = { 'x-github-event': event, 'content-type': type, 'x-hub-signature-256': signature };
  const answer = await fetch(`${api.base}/v1/hooks/github`, { method: 'POST', body, headers });
  return {
    status: answer.status,
    body: (await answer.json()) as { asked?: string[]; error?: { code: string; remedy: string } },
  };
}

describe('a webhook of GitHub', () => {
  test.each([
    ['release', { action: 'published', repository }],
    ['create', { ref_type: 'tag', ref: 'v1', repository }],
    ['push', { ref: 'refs/tags/v1', repository }],
  ])('%s pokes what watches the repository', async (event, said) => {
    const answer = await send({ event, body: JSON.stringify(said) });
    expect(answer).toEqual({ status: 202, body: { asked: ['watch Acme/tool'] } });
    expect(world.queue.asked).toEqual(['poke repository Acme/tool']);
  });

  test.each([
    ['ping', { zen: 'Keep it logically awesome.', repository }],
    ['create', { ref_type: 'branch', ref: 'topic', repository }],
    ['push', { ref: 'refs/heads/main', repository }],
    ['issues', { action: 'opened', repository }],
    ['constructor', { repository }],
  ])('%s of something else is taken and does nothing: %j', async (event, said) => {
    expect(await send({ event, body: JSON.stringify(said) })).toEqual({ status: 202, body: { asked: [] } });
    expect(world.queue.asked).toEqual([]);
  });

  test('may come as a form', async () => {
    const body = new URLSearchParams({ payload: JSON.stringify({ repository }) }).toString();
    const type = 'application/x-www-form-urlencoded';
    expect((await send({ event: 'release', body, type })).status).toBe(202);
    expect(world.queue.asked).toEqual(['poke repository Acme/tool']);
  });

  test.each([
    ['another secret', `sha256=${createHmac('sha256', 'other').update('{}').digest('hex')}`],
    ['an older kind', `sha1=${createHmac('sha1', secret).update('{}').digest('hex')}`],
    ['nothing', ''],
  ])('signed with %s is refused', async (_what, signature) => {
    const answer = await send({ event: 'release', body: JSON.stringify({ repository }), signature });
    expect(answer).toMatchObject({ status: 403, body: { error: { code: 'request.refused' } } });
    expect(world.queue.asked).toEqual([]);
  });

  test('a signature is of the bytes: one byte more is another body', async () => {
    const body = JSON.stringify({ repository });
    const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
    expect((await send({ event: 'release', body, signature })).status).toBe(202);
    expect((await send({ event: 'release', body: `${body} `, signature })).status).toBe(403);
  });

  test.each([
    ['no JSON', 'tag v1'],
    ['nothing', ''],
    ['no repository', '{"action":"published"}'],
    ['a repository that can be none', '{"repository":{"full_name":"a/b/../c"}}'],
  ])('that says %s is refused', async (_what, body) => {
    const answer = await send({ event: 'release', body });
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'request.invalid' } } });
    expect(world.queue.asked).toEqual([]);
  });

  test('that is too long is not read', async () => {
    const body = JSON.stringify({ repository, body: 'x'.repeat(2 * 1024 * 1024) });
    expect(await send({ event: 'release', body })).toMatchObject({
      status: 413,
      body: { error: { code: 'request.invalid' } },
    });
  });

  test('is not taken where no secret is configured, and the answer says how', async () => {
    await api.close();
    api = await startTestApi(world);
    const answer = await send({ event: 'release', body: JSON.stringify({ repository }) });
    expect(answer.status).toBe(403);
    expect(answer.body.error?.remedy).toContain('REGROW_WEBHOOK_SECRET');
    expect(world.queue.asked).toEqual([]);
  });
});
