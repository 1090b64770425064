import { describe, expect, test } from 'vitest';
import { ask, decided, failure, proposed } from '../../support/explaining.ts';
import {
  before,
  build,
  bump,
  createWorld,
  decision,
  finished,
  publish,
  putBuild,
  putVerdict,
} from '../../support/report-world.ts';

describe('main', () => {
  test('asks for what is not published: the build that is missing', async () => {
    const world = createWorld();
    await world.ledger.put('decision', 'zlib', decision('zlib'), before(30), 'zlib');
    expect((await ask(world)).blocker).toMatchObject({ kind: 'not-planned-yet', since: before(30) });
    const attempt = finished(build('zlib', '1.0-r0'));
    await putBuild(world, attempt);
    await putVerdict(world, attempt);
    const { blocker, answer } = await ask(world);
    expect(blocker.kind).toBe('not-published-yet');
    expect(answer).toContain('zlib is not published');
  });

  test('a target that the recipe leaves out is not missed', async () => {
    const world = createWorld();
    await publish(world, 1, ['x86_64-gnu'], { zlib: '1.0-r0' });
    await world.ledger.put('decision', 'zlib', decision('zlib'), before(30), 'zlib');
    expect((await ask(world)).state).toBe('current');
  });

  test('a target whose build failed is missed, though another has it', async () => {
    const world = createWorld();
    await publish(world, 1, ['x86_64-gnu'], { zlib: '1.0-r0' });
    await world.ledger.put('decision', 'zlib', decision('zlib'), before(30), 'zlib');
    await putBuild(world, finished(build('zlib', '1.0-r0', { target: 'x86_64-musl' }), failure));
    expect(await ask(world)).toMatchObject({ state: 'failing', blocker: { kind: 'build-failed' } });
  });

  test('a recipe that cannot be read says where, before anything else', async () => {
    const world = await proposed();
    const problem = {
      area: 'recipe' as const,
      name: 'zlib',
      code: 'recipe.malformed',
      message: 'epoch is not a number',
      remedy: 'write a number',
      file: 'zlib.yaml',
      line: 4,
    };
    await world.ledger.put('problem', 'recipe/zlib', problem, before(8), 'zlib');
    const { blocker, actions } = await ask(world);
    expect(blocker).toMatchObject({ kind: 'recipe-invalid', since: before(8) });
    expect(blocker.text).toContain('epoch is not a number (zlib.yaml:4)');
    expect(actions).toEqual(['write a number']);
  });

  const stuck = (code: string, message: string) => ({
    area: 'publish' as const,
    name: 'zlib',
    code,
    message,
    remedy: 'write another number',
  });

  test('asks for less than is published: that is said, not that the publisher is next', async () => {
    const world = await decided(decision('zlib', { from: { version: '0.9', epoch: 0 } }));
    const attempt = finished(build('zlib', '0.9-r0'));
    await putBuild(world, attempt);
    await putVerdict(world, attempt);
    expect((await ask(world)).blocker.kind).toBe('not-published-yet');
    const problem = stuck('package.version-lowered', 'main asks for 0.9-r0, which is less than 1.0-r0');
    await world.ledger.put('problem', 'publish/zlib', problem, before(8), 'zlib');
    const { state, blocker, answer, actions } = await ask(world);
    expect({ state, kind: blocker.kind, since: blocker.since }).toEqual({
      state: 'waiting',
      kind: 'version-lowered',
      since: before(8),
    });
    expect(answer).toBe('zlib is published at 1.0-r0: main asks for 0.9-r0, which is less than 1.0-r0');
    expect(actions).toEqual(['write another number']);
  });

  test('was withdrawn: who asks reads why, and what brings the package on', async () => {
    const world = await decided(decision('zlib', { from: { version: '1.1', epoch: 0 } }));
    const problem = stuck('package.withdrawn', 'zlib 1.1-r0 was withdrawn at noon: it eats files');
    await world.ledger.put('problem', 'publish/zlib', problem, before(8), 'zlib');
    const { state, blocker, answer, actions, next } = await ask(world);
    expect({ state, kind: blocker.kind }).toEqual({ state: 'waiting', kind: 'withdrawn' });
    expect(answer).toBe('zlib is published at 1.0-r0: zlib 1.1-r0 was withdrawn at noon: it eats files');
    expect(actions).toEqual(['write another number']);
    expect(next.text).toMatch(/until main asks for another version/);
  });

  test('has what the publisher refused: its reason, not that the publisher is next', async () => {
    const world = createWorld();
    await world.ledger.put('decision', 'zlib', decision('zlib'), before(30), 'zlib');
    const attempt = finished(build('zlib', '1.0-r0'));
    await putBuild(world, attempt);
    await putVerdict(world, attempt);
    await world.ledger.put('problem', 'publish/zlib', stuck('package.conflict', 'other bytes'), before(8), 'zlib');
    expect(await ask(world)).toMatchObject({ state: 'failing', blocker: { kind: 'problem', text: 'other bytes' } });
  });

  test('has a recipe that says something else than what is published, until an update brings it along', async () => {
    const world = await decided(decision('zlib'));
    const problem = stuck('recipe.epoch-not-raised', 'the recipe was changed since 1.0-r0 was built');
    await world.ledger.put('problem', 'publish/zlib', problem, before(8), 'zlib');
    expect(await ask(world)).toMatchObject({
      state: 'waiting',
      blocker: { kind: 'epoch-not-raised' },
      actions: ['write another number'],
    });
    await world.ledger.put('decision', 'zlib', bump('zlib', '1.1'), before(1), 'zlib');
    expect((await ask(world)).blocker.kind).toBe('not-proposed-yet');
  });

  test('a problem with publishing shows once nothing else is in the way', async () => {
    const world = await decided(bump('zlib', '1.1'));
    const problem = {
      area: 'propose' as const,
      name: 'zlib',
      code: 'forge.refused',
      message: 'the branch is protected',
    };
    await world.ledger.put('problem', 'propose/zlib', problem, before(8), 'zlib');
    expect(await ask(world)).toMatchObject({
      state: 'failing',
      blocker: { kind: 'problem', text: 'the branch is protected' },
    });
  });
});
