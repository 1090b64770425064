import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RegrowError } from '../../../src/errors.ts';
import type { LedgerEvent } from '../../../src/model/event.ts';
import { explanationSchema } from '../../../src/model/explanation.ts';
import { statusSchema } from '../../../src/model/status.ts';
import { askRaw, startTestApi, type TestApi } from '../../support/api-server.ts';
import {
  before,
  build,
  bump,
  createWorld,
  decision,
  finished,
  proposal,
  publish,
  putBuild,
  settings,
  type World,
} from '../../support/report-world.ts';

let world: World;
let api: TestApi;
const evil = '<script>alert(1)</script>';

function event(number: number, change: Partial<LedgerEvent> = {}): LedgerEvent {
  return {
    id: `e${number}`,
    at: before(30 - number),
    kind: 'decided',
    package: 'zlib',
    text: `event ${number}`,
    facts: {},
    ...change,
  };
}

async function get(path: string, headers: Record<string, string> = {}): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(api.base + path, { headers });
  return { status: answer.status, body: await answer.json() };
}

/** zlib 1.1 is proposed in #7, and its build failed with a log that is full of HTML. */
async function fill(): Promise<ReturnType<typeof finished>> {
  await publish(world, 3, settings.targets, { zlib: '1.0-r0', hello: '1.0-r0' });
  await world.ledger.put('decision', 'zlib', bump('zlib', '1.1'), before(30), 'zlib');
  await world.ledger.put('decision', 'hello', decision('hello'), before(30), 'hello');
  const title = `zlib/1.1 ${evil}`;
  await world.ledger.put('proposal', '7', proposal('zlib', 7, '1.1-r0', { title }), before(20), 'zlib');
  const failure = {
    class: 'package' as const,
    code: 'build.step-failed',
    message: `exit ${evil}`,
    tail: [`log ${evil} \u001b[31m`],
  };
  const attempt = finished(build('zlib', '1.1-r0', { purpose: 7 }), failure);
  await putBuild(world, attempt);
  await world.objects.put(`staging/${attempt.buildKey}/log`, Buffer.from(`line one\n${evil}\n`));
  await world.ledger.append(event(1, { text: `text ${evil}` }));
  return attempt;
}

beforeEach(async () => {
  world = createWorld();
  api = await startTestApi(world);
});
afterEach(() => api.close());

describe('JSON', () => {
  test('status, packages, proposals, queue, generations, findings', async () => {
    await fill();
    world.queue.show([
      { queue: 'control', type: 'reconcile', id: 'r', state: 'waiting', position: 1, payload: {}, at: before(1) },
    ]);
    const finding = {
      advisory: 'A-1',
      aliases: [],
      package: 'zlib',
      version: '1.0',
      component: 'pkg:x/y',
      fixedIn: [],
    };
    await world.ledger.put('finding', 'A-1/zlib', finding, before(9), 'zlib');
    const status = statusSchema.parse((await get('/v1/status')).body);
    expect(status.packages).toMatchObject({ total: 2, states: { current: 1, failing: 1 } });
    expect(status.generation?.targets).toEqual([
      { target: 'x86_64-gnu', packages: 4 },
      { target: 'x86_64-musl', packages: 4 },
    ]);
    expect(status.vulnerabilities).toBe(1);
    expect((await get('/v1/packages')).body).toMatchObject({ packages: [{ package: 'hello' }, { package: 'zlib' }] });
    expect((await get('/v1/proposals')).body).toMatchObject({
      proposals: [{ number: 7, builds: [{ state: 'failed' }] }],
    });
    expect((await get('/v1/queue')).body).toMatchObject({
      queues: { control: { waiting: 1 } },
      jobs: [{ type: 'reconcile', position: 1 }],
    });
    expect((await get('/v1/generations')).body).toMatchObject({ current: 3, generations: [{ generation: 3 }] });
    expect((await get('/v1/findings')).body).toMatchObject({ findings: [{ advisory: 'A-1', since: before(9) }] });
  });

  test('a package is explained, with its history', async () => {
    await fill();
    const explanation = explanationSchema.parse((await get('/v1/packages/zlib')).body);
    expect(explanation.blocker.kind).toBe('build-failed');
    expect((await get('/v1/packages/zlib/history?limit=5')).body).toMatchObject({ events: [{ sequence: 1 }] });
  });

  test('a build, its attempts and its log; the log in parts, so that one can follow it', async () => {
    const { buildKey } = await fill();
    expect((await get(`/v1/builds/${buildKey}`)).body).toMatchObject({
      build: { state: 'failed' },
      attempts: [{ attempt: 1 }],
    });
    const log = await fetch(`${api.base}/v1/builds/${buildKey}/log`);
    expect(log.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(log.headers.get('x-content-type-options')).toBe('nosniff');
    expect(log.headers.get('content-security-policy')).toContain('sandbox');
    expect(log.headers.get('x-regrow-build-state')).toBe('failed');
    const rest = await askRaw(api.base, `/v1/builds/${buildKey}/log`, { headers: { range: 'bytes=9-' } });
    expect(rest.body.toString()).toBe(`${evil}\n`);
    expect((await get(`/v1/builds/${'0'.repeat(64)}`)).status).toBe(404);
  });

  test('a builder cannot have another object served as its log', async () => {
    const attempt = await fill();
    const { result } = attempt;
    if (result === undefined) throw new Error('the build has no result');
    await world.objects.put('cursors/private', Buffer.from('not for everybody'));
    await putBuild(world, { ...attempt, result: { ...result, log: 'cursors/private' } });
    const log = await fetch(`${api.base}/v1/builds/${attempt.buildKey}/log`);
    expect(await log.text()).toMatch(/^line one/);
  });

  test('what is wrong is said in one shape', async () => {
    expect(await get('/nowhere')).toEqual({
      status: 404,
      body: {
        error: {
          code: 'request.not-found',
          message: 'there is nothing at this address',
          retry: 'never',
          remedy: 'docs/api.md lists what there is',
        },
      },
    });
    expect((await get('/v1/packages/none')).status).toBe(404);
    expect(await get('/v1/queue?limit=100000')).toMatchObject({
      status: 400,
      body: { error: { code: 'request.invalid', field: 'limit' } },
    });
    expect((await get('/v1/builds/NOT-A-KEY')).status).toBe(400);
    const large = await fetch(`${api.base}/v1/reconcile`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify('x'.repeat(20_000)),
    });
    expect(large.status).toBe(413);
  });

  test('a queue that refuses is 503 with its remedy, and the rest goes on', async () => {
    await fill();
    world.queue.break(new RegrowError('queue.unreachable', 'Redis refuses', { retry: 'later', remedy: 'start Redis' }));
    expect(await get('/v1/queue')).toMatchObject({
      status: 503,
      body: { error: { code: 'queue.unreachable', remedy: 'start Redis' } },
    });
    expect((await get('/v1/status')).status).toBe(200);
    expect((await get('/v1/packages/zlib')).status).toBe(200);
  });

  test('what an unexpected error says stays in the log', async () => {
    world.objects.faults.fail('get', { error: new Error('/var/lib/secret/path') });
    const { status, body } = await get('/v1/generations');
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toContain('secret');
  });
});

describe('events', () => {
  /** Reads a stream until `count` events came, then hangs up. */
  async function follow(
    path: string,
    count: number,
    headers: Record<string, string>,
    during?: () => Promise<void>,
  ): Promise<unknown[]> {
    const stop = new AbortController();
    const answer = await fetch(api.base + path, {
      headers: { accept: 'text/event-stream', ...headers },
      signal: stop.signal,
    });
    expect(answer.headers.get('content-type')).toContain('text/event-stream');
    await during?.();
    const seen: { sequence: number }[] = [];
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      const frames = text.split('\n\n');
      text = frames.pop() ?? '';
      for (const frame of frames) {
        const data = /^data: (.*)$/m.exec(frame)?.[1];
        const id = /^id: (\d+)$/m.exec(frame)?.[1];
        if (data === undefined) continue;
        const value = JSON.parse(data) as { sequence: number };
        expect(String(value.sequence)).toBe(id);
        seen.push(value);
      }
      if (seen.length >= count) break;
    }
    stop.abort();
    return seen;
  }

  test('come as they happen', async () => {
    await world.ledger.append(event(1));
    const seen = await follow('/v1/events', 2, {}, async () => {
      await world.ledger.append(event(2));
      await world.ledger.append(event(3));
    });
    expect(seen).toMatchObject([{ text: 'event 2' }, { text: 'event 3' }]);
  });

  test('go on where a reader was cut off, each once and in order', async () => {
    for (let number = 1; number <= 5; number += 1) await world.ledger.append(event(number));
    const seen = await follow('/v1/events', 4, { 'last-event-id': '2' }, async () => {
      await world.ledger.append(event(6));
    });
    expect(seen).toMatchObject([{ sequence: 3 }, { sequence: 4 }, { sequence: 5 }, { sequence: 6 }]);
  });

  test('of one package alone', async () => {
    await world.ledger.append(event(1, { package: 'hello' }));
    await world.ledger.append(event(2));
    expect(await follow('/v1/events?package=zlib&after=0', 1, {})).toMatchObject([{ package: 'zlib' }]);
  });

  test('as JSON for who does not ask for a stream', async () => {
    for (let number = 1; number <= 3; number += 1) await world.ledger.append(event(number));
    expect((await get('/v1/events?limit=2')).body).toMatchObject({ events: [{ sequence: 3 }, { sequence: 2 }] });
    expect((await get('/v1/events?after=2')).body).toMatchObject({ events: [{ sequence: 3 }] });
  });

  test('a last id that is no number is refused', async () => {
    expect((await get('/v1/events', { accept: 'text/event-stream', 'last-event-id': 'x' })).status).toBe(400);
  });
});

describe('asking for work', () => {
  const post = (path: string, headers: Record<string, string> = {}): ReturnType<typeof askRaw> =>
    askRaw(api.base, path, { method: 'POST', headers });

  test('a reconcile, and a look at one package', async () => {
    await fill();
    const source = 'github:acme/zlib/releases';
    await world.ledger.put('watch', source, { source, packages: ['zlib'], interval: 1800 }, before(10));
    expect((await post('/v1/reconcile')).status).toBe(202);
    const poke = await post('/v1/packages/zlib/poke');
    expect(poke.status).toBe(202);
    expect(JSON.parse(poke.body.toString())).toEqual({ asked: [`watch ${source}`, 'reconcile'] });
    expect(world.queue.asked).toEqual(['reconcile', 'poke package zlib', 'reconcile']);
  });

  test('a package that nobody has decided about yet may be on main all the same', async () => {
    const poke = await post('/v1/packages/fresh/poke');
    expect(poke.status).toBe(202);
    expect(poke.body.toString()).toContain('watch fresh (if main has such a recipe)');
    expect(world.queue.asked).toEqual(['poke package fresh', 'reconcile']);
    expect((await post('/v1/packages/%2e%2e/poke')).status).toBe(400);
  });

  test('a version that is stopped is released; where none is, the answer says so', async () => {
    await fill();
    const refused = await post('/v1/packages/zlib/release');
    expect(refused.status).toBe(400);
    expect(refused.body.toString()).toContain('no version of zlib is stopped');
    const to = { version: '1.2', epoch: 0, tag: 'v1.2', source: 'github:acme/zlib/releases' };
    const stopped = decision('zlib', { action: 'hold', reason: 'loop', because: 'made before', to });
    await world.ledger.put('decision', 'zlib', stopped, before(1), 'zlib');
    const released = await post('/v1/packages/zlib/release');
    expect(released.status).toBe(202);
    expect(JSON.parse(released.body.toString())).toEqual({ asked: ['release zlib 1.2'] });
    expect(world.queue.asked).toEqual(['release zlib']);
    expect((await post('/v1/packages/zlib/release', { origin: 'http://evil.example' })).status).toBe(403);
  });

  test('not for a web page of another origin, nor one that a name of its own leads here', async () => {
    for (const headers of [
      { origin: 'http://evil.example' },
      { 'sec-fetch-site': 'cross-site' },
      { host: 'evil.example' },
    ]) {
      const answer = await post('/v1/reconcile', headers);
      expect(answer.status).toBe(403);
    }
    expect(world.queue.asked).toEqual([]);
  });

  test('only with the token where one is configured', async () => {
    await api.close();
    api = await startTestApi(world, { token: 'correct horse' });
    expect((await post('/v1/reconcile')).status).toBe(403);
    expect((await post('/v1/reconcile', { authorization: 'Bearer wrong' })).status).toBe(403);
    expect((await post('/v1/reconcile', { authorization: 'Bearer correct horse' })).status).toBe(202);
    expect(world.queue.asked).toEqual(['reconcile']);
  });
});

describe('health', () => {
  test('healthz, readyz, metrics', async () => {
    await fill();
    expect(await get('/healthz')).toEqual({
      status: 200,
      body: { status: 'ok', distribution: { title: 'test distribution' } },
    });
    expect((await get('/readyz')).status).toBe(200);
    const metrics = await (await fetch(`${api.base}/metrics`)).text();
    expect(metrics).toContain('regrow_packages{state="failing"} 1');
    expect(metrics).toContain('regrow_events_total{kind="decided"} 1');
    expect(metrics).toContain('regrow_generation 3');
  });

  test('readyz names what does not answer', async () => {
    world.queue.break(new RegrowError('queue.unreachable', 'Redis refuses'));
    world.objects.faults.fail('has');
    world.clock.advance(3_600_000);
    const { status, body } = await get('/readyz');
    expect(status).toBe(503);
    expect(body).toMatchObject({
      checks: [
        { name: 'queue', ok: false, message: 'Redis refuses' },
        { name: 'ledger', ok: true },
        { name: 'objects', ok: false },
        { name: 'conductor', ok: false },
      ],
    });
  });
});

describe('pages', () => {
  test('show what is, and let nothing of it be HTML', async () => {
    await fill();
    for (const path of ['/', '/packages', '/packages/zlib']) {
      const answer = await fetch(api.base + path);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
      const page = await answer.text();
      expect(page).toContain('zlib');
      expect(page).not.toContain(evil);
      expect(page).not.toContain('\u001b');
      expect(page).not.toMatch(/<script(?! src="\/page\.js")/);
      expect(page).not.toMatch(/ style=| on[a-z]+="/);
    }
    const page = await (await fetch(`${api.base}/packages/zlib`)).text();
    expect(page).toContain('log &lt;script&gt;');
    expect(page).toContain('the whole log');
  });

  test('one state of packages', async () => {
    await fill();
    const page = await (await fetch(`${api.base}/packages?state=current`)).text();
    expect(page).toContain('/packages/hello');
    expect(page).not.toContain('/packages/zlib');
    expect((await fetch(`${api.base}/packages?state=odd`)).status).toBe(400);
  });

  test('a package that is not there is a page for people and JSON for programs', async () => {
    const page = await fetch(`${api.base}/packages/none`, { headers: { accept: 'text/html' } });
    expect(page.status).toBe(404);
    expect(await page.text()).toContain('there is no package or image none');
    expect((await get('/packages/none')).body).toMatchObject({ error: { code: 'request.not-found' } });
  });

  test('what they load is served here', async () => {
    expect((await fetch(`${api.base}/page.css`)).headers.get('content-type')).toContain('text/css');
    expect((await fetch(`${api.base}/page.js`)).headers.get('content-type')).toContain('text/javascript');
  });
});

describe('the raw queues', () => {
  test('are not there unless asked for', async () => {
    expect((await get('/queues')).status).toBe(404);
  });

  test('are shown where the configuration says so', async () => {
    await api.close();
    api = await startTestApi(world, {}, { board: [] });
    const answer = await fetch(`${api.base}/queues`);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('<html');
  });
});
