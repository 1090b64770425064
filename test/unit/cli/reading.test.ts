import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CliContext } from '../../../src/cli/context.ts';
import { eventsCommand, pokeCommand, releaseCommand } from '../../../src/cli/events.ts';
import { explainCommand } from '../../../src/cli/explain.ts';
import { createHttpReader, findDaemon } from '../../../src/cli/http-reader.ts';
import { createLocalReader } from '../../../src/cli/local-reader.ts';
import { logsCommand } from '../../../src/cli/logs.ts';
import { createOutput, type Output } from '../../../src/cli/output.ts';
import { queueCommand } from '../../../src/cli/queue.ts';
import type { OpenReader } from '../../../src/cli/reader.ts';
import { statusCommand } from '../../../src/cli/status.ts';
import { startTestApi, type TestApi } from '../../support/api-server.ts';
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

interface Ran {
  readonly out: string;
  readonly err: string;
  readonly exitCode: number;
}

async function run(
  make: (context: CliContext) => Command,
  argv: readonly string[],
  open: OpenReader = async () => createHttpReader({ server: api.base }),
  pause: () => Promise<void> = async () => {},
): Promise<Ran> {
  let out = '';
  let err = '';
  const output: Output = createOutput({
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
  });
  await make({ output, openReader: open, pause }).exitOverride().parseAsync(argv, { from: 'user' });
  return { out, err, exitCode: output.exitCode };
}

const log = 'line one\n\u001b[31mred\u001b[0m \u0007bell\n';

/** hello is current; zlib 1.1 is proposed, and its build failed. */
async function fill(): Promise<string> {
  await publish(world, 3, settings.targets, { zlib: '1.0-r0', hello: '1.0-r0' });
  await world.ledger.put('decision', 'zlib', bump('zlib', '1.1'), before(30), 'zlib');
  await world.ledger.put('decision', 'hello', decision('hello'), before(30), 'hello');
  await world.ledger.put('proposal', '7', proposal('zlib', 7, '1.1-r0'), before(20), 'zlib');
  const failure = {
    class: 'package' as const,
    code: 'build.step-failed',
    message: 'exit 2',
    step: 'make',
    tail: ['boom'],
  };
  const attempt = finished(build('zlib', '1.1-r0', { purpose: 7 }), failure);
  await putBuild(world, attempt);
  await world.objects.put(`staging/${attempt.buildKey}/log`, Buffer.from(log));
  const event = { id: 'e1', at: before(5), kind: 'build-failed' as const, package: 'zlib', text: 'exit 2', facts: {} };
  await world.ledger.append(event);
  return attempt.buildKey;
}

beforeEach(async () => {
  world = createWorld();
  api = await startTestApi(world);
});
afterEach(() => api.close());

describe('status', () => {
  test('one screen; exit code 1 where something fails', async () => {
    await fill();
    const { out, exitCode } = await run(statusCommand, []);
    expect(out.split('\n').slice(0, 7)).toEqual([
      'packages        2: 1 current, 1 failing',
      'failing         zlib (`regrow explain zlib` says why)',
      'pull requests   1 open',
      'queue           0 running, 0 waiting',
      'published       generation 3, 3 min ago: x86_64-gnu 4, x86_64-musl 4',
      'vulnerabilities 0 open',
      'sources         0',
    ]);
    expect(out).toContain('#7      zlib     1.1-r0   20 min ago  zlib x86_64-gnu failed');
    expect(exitCode).toBe(1);
  });

  test('every package, or those of one state', async () => {
    await fill();
    const all = await run(statusCommand, ['--packages']);
    expect(all.out.split('\n')).toEqual([
      'PACKAGE  STATE    PUBLISHED  GIT     UPSTREAM  WHY',
      'hello    current  1.0-r0     1.0-r0  1.0       upstream has nothing newer than 1.0',
      'zlib     failing  1.0-r0     1.0-r0  1.1       the build of 1.1-r0 for x86_64-gnu failed in step "make": exit 2',
      '',
    ]);
    expect(all.exitCode).toBe(0);
    const json = await run(statusCommand, ['--state', 'current', '--json']);
    expect(JSON.parse(json.out)).toMatchObject({ packages: [{ package: 'hello' }] });
  });

  test('an empty daemon', async () => {
    const { out, exitCode } = await run(statusCommand, []);
    expect(out).toContain('published       nothing yet');
    expect(exitCode).toBe(0);
    expect((await run(statusCommand, ['--packages'])).out).toBe('no packages\n');
    expect((await run(statusCommand, ['--proposals'])).out).toBe('no open pull requests\n');
  });
});

describe('explain', () => {
  test('the answer first, then what is known; exit code 1 where it fails', async () => {
    const key = await fill();
    const { out, exitCode } = await run(explainCommand, ['zlib', '--history']);
    const lines = out.split('\n');
    expect(lines[0]).toBe('zlib failing');
    expect(lines[1]).toContain(
      'zlib is published at 1.0-r0; 1.1-r0 is on its way: the build of 1.1-r0 for x86_64-gnu failed',
    );
    expect(out).toContain('pull request  1.1-r0  http://127.0.0.1:1/acme/os/pull/7');
    expect(out).toContain('published     1.0-r0  x86_64-musl: zlib, zlib-dev');
    expect(out).toContain('you can       `regrow logs zlib` shows the whole log');
    expect(out).toContain('  | boom');
    expect(out).toContain(`${key.slice(0, 12)}.1`);
    expect(out).toContain('build-failed');
    expect(exitCode).toBe(1);
    expect((await run(explainCommand, ['hello'])).exitCode).toBe(0);
  });

  test('knows a recipe by the packages that it makes', async () => {
    await fill();
    const { out, exitCode } = await run(explainCommand, ['zlib-dev']);
    expect(out).toMatch(/^zlib failing\n/);
    expect(exitCode).toBe(1);
    const { out: log } = await run(logsCommand, ['zlib-dev']);
    expect(log).not.toBe('');
    expect(log).toBe((await run(logsCommand, ['zlib'])).out);
  });

  test('an unknown package is an error with a remedy, in JSON too', async () => {
    const text = await run(explainCommand, ['none']);
    expect(text.err).toBe(
      'error request.not-found: there is no package or image none\n  `regrow status --packages` lists the packages that are known, `regrow status` the images\n',
    );
    expect(text.exitCode).toBe(1);
    const json = await run(explainCommand, ['none', '--json']);
    expect(JSON.parse(json.out)).toMatchObject({ error: { code: 'request.not-found' } });
    expect(json.err).toBe('');
  });
});

describe('logs', () => {
  test('of the build that a package means, without what a terminal would obey', async () => {
    const key = await fill();
    expect((await run(logsCommand, ['zlib'])).out).toBe('line one\nred \ufffdbell\n');
    expect((await run(logsCommand, [key, '--raw'])).out).toBe(log);
    expect(JSON.parse((await run(logsCommand, ['zlib', '--json'])).out)).toEqual({
      build: key,
      bytes: log.length,
      log,
    });
  });

  test('a package that was never built', async () => {
    await fill();
    const { err, exitCode } = await run(logsCommand, ['hello']);
    expect(err).toContain('hello has not been built yet');
    expect(exitCode).toBe(1);
  });

  test('followed until the build ends', async () => {
    await fill();
    const attempt = build('zlib', '1.1-r0', { purpose: 7, attempt: 2, queuedAt: before(1) });
    await putBuild(world, attempt);
    await world.objects.remove(`staging/${attempt.buildKey}/log`);
    const steps = [
      () => world.objects.put(`staging/${attempt.buildKey}/log`, Buffer.from('one\n')),
      () => world.objects.put(`staging/${attempt.buildKey}/log`, Buffer.from('one\ntwo é\n')),
      () => putBuild(world, finished(attempt)),
    ];
    const { out, exitCode } = await run(logsCommand, [attempt.buildKey, '--follow'], undefined, async () => {
      await steps.shift()?.();
    });
    expect(out).toBe('one\ntwo é\n');
    expect(exitCode).toBe(0);
    expect(steps).toEqual([]);
  });

  test('a build without a log yet, not followed', async () => {
    await fill();
    const attempt = build('hello', '1.0-r1');
    await putBuild(world, attempt);
    const { err } = await run(logsCommand, [attempt.buildKey]);
    expect(err).toContain('has no log yet');
  });
});

describe('queue, events, poke', () => {
  test('the queue in its order', async () => {
    const job = { queue: 'build-x86_64-gnu', type: 'build', id: 'x', at: new Date().toISOString() };
    world.queue.show([
      { ...job, state: 'active', payload: { package: 'zlib', version: '1.1-r0', target: 'x86_64-gnu' } },
      { ...job, state: 'waiting', position: 1, payload: { package: 'hello', version: '1.0-r1', target: 'x86_64-gnu' } },
    ]);
    const { out } = await run(queueCommand, []);
    const lines = out.split('\n').map((line) => line.replace(/ +(SINCE|\d+ s ago)$/, ''));
    expect(lines).toEqual([
      'QUEUE             ACTIVE  WAITING  DELAYED  FAILED',
      'build-x86_64-gnu  1       1        0        0',
      '',
      'STATE    PLACE  JOB                            QUEUE',
      'active   -      build zlib 1.1-r0 x86_64-gnu   build-x86_64-gnu',
      'waiting  1      build hello 1.0-r1 x86_64-gnu  build-x86_64-gnu',
      '',
    ]);
  });

  test('events, of one package where asked', async () => {
    await fill();
    const { out } = await run(eventsCommand, ['--package', 'zlib']);
    expect(out).toContain('2026-11-24 11:55:00  build-failed  zlib     exit 2');
    expect((await run(eventsCommand, ['--package', 'hello'])).out).toBe(
      'nothing has happened to hello; `regrow status --packages` lists the packages that are known\n',
    );
  });

  test('poke asks for a look', async () => {
    expect((await run(pokeCommand, [])).out).toBe('asked for: reconcile\n');
    expect(world.queue.asked).toEqual(['reconcile']);
  });

  test('poke of packages asks for their sources, and says each thing once', async () => {
    const row = { source: 'github:acme/zlib/tags', packages: ['zlib'], interval: 1800 };
    await world.ledger.put('watch', row.source, row, before(1));
    const { out } = await run(pokeCommand, ['zlib', 'fresh']);
    expect(out).toBe('asked for: watch github:acme/zlib/tags, watch fresh (if main has such a recipe), reconcile\n');
    expect(world.queue.asked.filter((one) => one.startsWith('poke'))).toEqual([
      'poke package zlib',
      'poke package fresh',
    ]);
  });

  test('release says what is released, or that nothing is stopped', async () => {
    await fill();
    expect((await run(releaseCommand, ['zlib'])).err).toContain('no version of zlib is stopped');
    const to = { version: '1.2', epoch: 0, tag: 'v1.2', source: 'github:acme/zlib/releases' };
    const stopped = decision('zlib', { action: 'hold', reason: 'closed-by-hand', because: 'ada closed it', to });
    await world.ledger.put('decision', 'zlib', stopped, new Date().toISOString(), 'zlib');
    expect((await run(releaseCommand, ['zlib'])).out).toBe('asked for: release zlib 1.2\n');
    expect(world.queue.asked).toEqual(['release zlib']);
  });

  test('a limit that is none is used wrongly', async () => {
    await expect(run(queueCommand, ['--limit', '0'])).rejects.toMatchObject({
      exitCode: 1,
      code: 'commander.invalidArgument',
    });
  });
});

describe('where answers come from', () => {
  test('no daemon: exit code 3 and what to do', async () => {
    const { base } = api;
    await api.close();
    const { err, exitCode } = await run(statusCommand, [], async () => createHttpReader({ server: base }));
    expect(err).toBe(
      `error daemon.unreachable: no regrow daemon answers at ${base}\n  start it with \`regrow run\`, or say where it is with --server URL\n`,
    );
    expect(exitCode).toBe(3);
    expect(await findDaemon(base)).toBeUndefined();
    api = await startTestApi(world);
    expect(await findDaemon(api.base)).toEqual({ title: 'test distribution' });
  });

  test('something else that answers is not taken for the daemon', async () => {
    const other = createServer((_request, answer) => answer.end('<html>hello</html>'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const { err, exitCode } = await run(statusCommand, ['--server', 'x'], async () =>
      createHttpReader({ server: `http://127.0.0.1:${port}` }),
    );
    other.close();
    expect(err).toContain('is not this version of regrow');
    expect(exitCode).toBe(3);
  });

  test('the state directory of a stopped daemon gives the same answers, but no queue', async () => {
    const key = await fill();
    const { ledger, objects, clock } = world;
    let closed = 0;
    const open: OpenReader = async () =>
      createLocalReader({ where: '.regrow', ledger, objects, clock, settings, close: async () => void (closed += 1) });
    for (const [make, argv] of [
      [statusCommand, ['--packages']],
      [logsCommand, [key]],
      [eventsCommand, []],
    ] as const) {
      expect((await run(make, argv, open)).out).toBe((await run(make, argv)).out);
    }
    const { out } = await run(explainCommand, ['zlib'], open);
    expect(out).toContain('nothing while the daemon is stopped; then: ');
    expect(out).toContain('start the daemon: `regrow run`');
    const queue = await run(queueCommand, [], open);
    expect(queue.exitCode).toBe(3);
    expect(queue.err).toContain('the queue needs a running daemon');
    expect(closed).toBe(5);
  });
});
