import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Generation, Withdrawn } from '../../../src/model/publication.ts';
import { startTestApi, type TestApi } from '../../support/api-server.ts';
import { artifactOf } from '../../support/packages.ts';
import { before, createWorld, publish, putBlob, settings, type World } from '../../support/report-world.ts';

let world: World;
let api: TestApi;
beforeEach(async () => {
  world = createWorld();
  api = await startTestApi(world);
  await publish(world, 1, settings.targets, { zlib: '1.0-r0' });
  await publish(world, 2, settings.targets, { zlib: '1.1-r0', hello: '1.0-r0' });
});
afterEach(() => api.close());

async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const answer = await fetch(`${api.base}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
  return { status: answer.status, body: await answer.json() };
}

const order = { name: 'zlib-dev', version: '1.1-r0', reason: 'it eats files' };

describe('withdrawing', () => {
  test('says all that goes, and what comes back for it', async () => {
    expect(await post('/v1/withdrawals', order)).toEqual({
      status: 202,
      body: {
        asked: ['withdraw zlib 1.1-r0 (zlib, zlib-dev) from x86_64-gnu, x86_64-musl', 'publish zlib 1.0-r0 again'],
      },
    });
    expect(world.queue.asked).toEqual(['withdraw zlib-dev 1.1-r0: it eats files']);
  });

  test.each([
    ['what is not published', { version: '9.9-r0' }, 404, 'zlib-dev 9.9-r0 is not published'],
    ['a version without an epoch', { version: '1.1' }, 400, 'version: is not a full version'],
    ['no reason', { reason: ' ' }, 400, 'reason:'],
    ['what it does not know', { all: true }, 400, 'all'],
  ])('is refused: %s', async (_, change, status, message) => {
    const answer = await post('/v1/withdrawals', { ...order, ...change });
    expect(answer).toMatchObject({ status, body: { error: { message: expect.stringContaining(message) } } });
    expect(world.queue.asked).toEqual([]);
  });

  test('is refused when something published needs it, by name, unless it is forced', async () => {
    const generation = await publish(world, 3, settings.targets, {});
    const lib = artifactOf({ name: 'zlib', version: '1.1-r0', provides: ['so:libz.so.1=1.1'] });
    const users = ['curl', 'git', 'jq', 'nginx', 'perl', 'ruby'].map((name) =>
      artifactOf({ name, version: '1-r0', depends: ['so:libz.so.1'] }),
    );
    const packages = await putBlob(world, Buffer.from(JSON.stringify([...users, lib])));
    const targets = { 'x86_64-gnu': { index: packages, packages } };
    await world.objects.put('repository/current', Buffer.from(JSON.stringify({ ...generation, targets })));
    const refused = await post('/v1/withdrawals', { ...order, name: 'zlib' });
    expect(refused).toMatchObject({
      status: 400,
      body: { error: { code: 'request.invalid', message: expect.stringMatching(/^curl on x86_64-gnu needs so:libz/) } },
    });
    expect(JSON.stringify(refused.body)).toContain('perl on x86_64-gnu needs so:libz.so.1; and 1 more');
    const forced = await post('/v1/withdrawals', { ...order, name: 'zlib', force: true });
    expect(forced).toMatchObject({ status: 202 });
    expect(JSON.stringify(forced.body)).toContain('although curl on x86_64-gnu needs');
    expect(world.queue.asked).toEqual(['withdraw zlib 1.1-r0 by force: it eats files']);
  });

  test('is also of what a rollback holds back', async () => {
    const generation = await publish(world, 3, settings.targets, { zlib: '1.0-r0' });
    const held: Withdrawn = { origin: 'zlib', version: '1.1-r0', reason: 'x', at: before(1), rolledBackTo: 1 };
    await world.objects.put('repository/current', Buffer.from(JSON.stringify({ ...generation, withdrawn: [held] })));
    expect(await post('/v1/withdrawals', { ...order, name: 'zlib' })).toEqual({
      status: 202,
      body: { asked: ['withdraw zlib 1.1-r0, which a rollback holds back'] },
    });
  });

  test('is not for a web page of another origin', async () => {
    expect((await post('/v1/withdrawals', order, { origin: 'http://evil.example' })).status).toBe(403);
    expect((await post('/v1/rollbacks', {}, { origin: 'http://evil.example' })).status).toBe(403);
    expect(world.queue.asked).toEqual([]);
  });
});

describe('rolling back', () => {
  async function make(change: Partial<Generation>, content: Record<string, string> = { zlib: '1.0-r0' }) {
    const generation = await publish(world, 3, settings.targets, content);
    await world.objects.put('repository/current', Buffer.from(JSON.stringify({ ...generation, ...change })));
  }

  test('without a number is to the generation before; after a rollback, before the one that it went to', async () => {
    expect(await post('/v1/rollbacks', {})).toEqual({ status: 202, body: { asked: ['roll back to generation 1'] } });
    await make({ rolledBackTo: 2 }, { zlib: '1.1-r0', hello: '1.0-r0' });
    await post('/v1/rollbacks', {});
    // What it went to is what is published.
    expect((await post('/v1/rollbacks', { to: 2 })).status).toBe(404);
    expect(world.queue.asked).toEqual(['rollback 1', 'rollback 1']);
  });

  test('to what is not kept, or is now, is refused', async () => {
    expect(await post('/v1/rollbacks', { to: 9 })).toMatchObject({
      status: 404,
      body: { error: { message: 'generation 9 is not kept' } },
    });
    expect((await post('/v1/rollbacks', { to: 2 })).status).toBe(404);
  });

  test('that would change nothing, as all that came since was withdrawn, says so', async () => {
    const gone: Withdrawn = { origin: 'zlib', version: '1.1-r0', reason: 'x', at: before(1) };
    await make({ withdrawn: [gone] });
    expect(await post('/v1/rollbacks', { to: 1 })).toMatchObject({
      status: 404,
      body: { error: { message: expect.stringMatching(/^generation 1 has nothing else/), remedy: expect.any(String) } },
    });
    expect(world.queue.asked).toEqual([]);
  });

  test('is undone where something is held back', async () => {
    expect((await post('/v1/rollbacks', { undo: true })).status).toBe(400);
    const held: Withdrawn = { origin: 'zlib', version: '1.1-r0', reason: 'x', at: before(1), rolledBackTo: 1 };
    await make({ withdrawn: [held] });
    expect(await post('/v1/rollbacks', { undo: true })).toMatchObject({ status: 202 });
    expect(world.queue.asked).toEqual(['undo rollback']);
  });
});

test('nothing is withdrawn or rolled back before the first generation', async () => {
  await world.objects.remove('repository/current');
  expect((await post('/v1/withdrawals', order)).status).toBe(404);
  expect((await post('/v1/rollbacks', {})).status).toBe(404);
});
