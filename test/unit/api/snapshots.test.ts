import { expect, test } from 'vitest';
import { createSnapshot } from '../../../src/api/snapshots.ts';

test('a view is made once for all who ask at once, and again when it is old for what it cost', async () => {
  let now = 0;
  let made = 0;
  const view = createSnapshot(
    async () => {
      made += 1;
      now += 100;
      return made;
    },
    () => now,
  );
  expect(await Promise.all([view(), view(), view()])).toEqual([1, 1, 1]);
  now += 4000;
  expect(await view()).toBe(1);
  now += 1001;
  expect(await view()).toBe(2);
});

test('a failure is not kept', async () => {
  let calls = 0;
  const view = createSnapshot(async () => {
    calls += 1;
    if (calls === 1) throw new Error('once');
    return calls;
  });
  await expect(view()).rejects.toThrow('once');
  expect(await view()).toBe(2);
});
