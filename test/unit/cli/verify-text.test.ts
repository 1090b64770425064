import { expect, test } from 'vitest';
import { rebuiltJson, rebuiltText } from '../../../src/cli/verify-text.ts';
import type { Rebuilt } from '../../../src/roles/rebuilding.ts';

const difference = (number: number) => ({
  package: 'tool',
  path: `usr/\u001b[31m${number}`,
  kind: 'mode' as const,
  text: 'has mode 755 and 644',
});
const common = {
  package: 'tool',
  version: '1.0-r0',
  target: 'x86_64-gnu',
  request: 'abc',
  milliseconds: 1234,
} as const;
const same: Rebuilt = {
  ...common,
  same: true,
  packages: [{ name: 'tool', checksum: 'Q1a', rebuilt: 'Q1a', differences: [] }],
};
const different: Rebuilt = {
  ...common,
  same: false,
  packages: [
    { name: 'tool', checksum: 'Q1a', rebuilt: 'Q1b', differences: Array.from({ length: 22 }, (_, i) => difference(i)) },
    { name: 'tool-doc', checksum: 'Q1c', rebuilt: 'Q1c', differences: [] },
  ],
};
const failed: Rebuilt = {
  ...common,
  same: undefined,
  packages: [],
  failure: { class: 'package', code: 'build.step-failed', message: 'exit code 1', tail: ['cc: no input\u0007'] },
};

test('what came of building again is said: of each package, in what it differs, or why it could not be built', () => {
  const text = rebuiltText([same, different, failed], { color: false });
  expect(text).toContain('same  tool 1.0-r0 for x86_64-gnu, built in 1.2 s from inputs/abc.json\n  same  tool  Q1a\n');
  expect(text).toContain('different  tool 1.0-r0 for');
  expect(text).toContain('has mode 755 and 644\n');
  expect(text).toContain('    and 2 more (--json has all)\n  same  tool-doc  Q1c\n');
  expect(text).toContain('cannot be built again  tool');
  expect(text).toContain('  build.step-failed exit code 1\n    | cc: no input');
  // What a package holds is nobody's to steer a terminal with.
  expect(text).not.toMatch(/[\u001b\u0007]/);
});

test('the same for programs: all differences, and null where nothing could be said', () => {
  expect(rebuiltJson([same])).toMatchObject({ same: true, builds: [{ same: true, packages: [{ same: true }] }] });
  const json = rebuiltJson([same, different]) as { same: boolean; builds: { packages: { differences: object[] }[] }[] };
  expect(json.same).toBe(false);
  expect(json.builds[1]?.packages[0]?.differences).toHaveLength(22);
  expect(rebuiltJson([same, failed])).toMatchObject({
    same: null,
    builds: [{}, { same: null, failure: { code: 'build.step-failed' } }],
  });
});
