import { expect, test } from 'vitest';
import { pinsNothingNew } from '../../../src/decide/new-pins.ts';

test('a version pins nothing new where it pins something and all of it stayed', () => {
  expect(pinsNothingNew({ pinned: 2, changed: 0 })).toBe(true);
  expect(pinsNothingNew({ pinned: 2, changed: 1 })).toBe(false);
});

test('a recipe that pins nothing is what its version says', () => {
  expect(pinsNothingNew({ pinned: 0, changed: 0 })).toBe(false);
});
