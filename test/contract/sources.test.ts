import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { releaseSources } from '../../src/watch/registry.ts';
import { describeSource, type SourceDescription } from './source-suite.ts';

const folder = join(import.meta.dirname, 'sources');
const descriptions = await Promise.all(
  readdirSync(folder).map(async (file) => (await import(join(folder, file))) as { description: SourceDescription }),
);

/** Kinds that are asked in another way than document by document, and the tests that hold them to the contract. */
const elsewhere: Readonly<Record<string, string>> = { github: '../unit/watch/github.test.ts' };

describe.each(descriptions.map(({ description }) => [description.source.kind, description] as const))(
  'the source %s',
  (_, description) => {
    describeSource(description);
  },
);

describe('the contract', () => {
  it('holds for every kind of source', () => {
    const described = descriptions.map(({ description }) => description.source.kind);
    const kinds = releaseSources.map(({ kind }) => kind);
    expect([...described, ...Object.keys(elsewhere)].toSorted()).toEqual(kinds.toSorted());
    for (const file of Object.values(elsewhere)) expect(existsSync(join(import.meta.dirname, file))).toBe(true);
  });
});
