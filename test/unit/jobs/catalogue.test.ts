import { assert, integer, property, record, string } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { catalogue, isJobType, jobId, packJob, unpackJob } from '../../../src/jobs/catalogue.ts';

const build = {
  buildKey: 'a'.repeat(64),
  attempt: 1,
  delivery: 1,
  request: 'b'.repeat(64),
  package: 'jq',
  version: '1.8.2-r0',
  target: 'x86_64-gnu',
} as const;

describe('the catalogue of jobs', () => {
  test('ids differ when effects differ, hold no colon and are never all digits', () => {
    const text = string({ unit: 'grapheme', minLength: 1, maxLength: 30 });
    const payload = record({ package: text, version: text, attempt: integer({ min: 1, max: 99 }) });
    assert(
      property(payload, payload, (one, two) => {
        const same = one.package === two.package && one.version === two.version && one.attempt === two.attempt;
        const ids = [jobId('propose', one), jobId('propose', two)] as const;
        expect(ids[0] === ids[1]).toBe(same);
        expect(ids[0]).not.toMatch(/:|^\d+$/);
      }),
    );
    expect(jobId('poke', { what: 'package', name: '1', slot: 2 })).toBe('poke,package,1,2');
    expect(jobId('poke', { what: 'repository', name: 'jqlang/jq', slot: 7 })).toBe('poke,repository,jqlang%2Fjq,7');
  });

  test('the attempt is part of the id where a failed job must be able to run again', () => {
    expect(jobId('build', build)).not.toBe(jobId('build', { ...build, attempt: 2 }));
    expect(jobId('build', build)).not.toBe(jobId('build', { ...build, delivery: 2 }));
    // The same build asked for by another commit is the same job.
    expect(jobId('build', build)).toBe(jobId('build', { ...build, request: 'c'.repeat(64) }));
  });

  test('a target has its own build queue, an image goes to the builders of its own', () => {
    expect(catalogue.build.queue(build)).toBe('build-x86_64-gnu');
    const image = { name: 'box', target: 'x86_64-musl', request: 'inputs/x.json', attempt: 1 } as const;
    expect(catalogue.image.queue(image)).toBe('build-x86_64-musl');
  });

  test('what goes in comes out', () => {
    expect(unpackJob('build', packJob('build', build))).toEqual(build);
  });

  test.each([
    ['another version', { v: 1, payload: build }, 'v'],
    ['a key that nobody knows', { v: 2, payload: { ...build, secret: 'x' } }, 'payload'],
    ['a target that is none', { v: 2, payload: { ...build, target: 'z80-gnu' } }, 'payload.target'],
    ['an attempt of zero', { v: 2, payload: { ...build, attempt: 0 } }, 'payload.attempt'],
    ['no envelope', build, 'v'],
    ['nothing', null, ''],
  ])('%s is refused on receipt', (_what, data, field) => {
    expect(() => unpackJob('build', data)).toThrow(
      expect.objectContaining({ code: 'queue.payload-invalid', retry: 'never', where: { field } }),
    );
  });

  test('a payload that is wrong does not get in', () => {
    const wrong = { what: 'package', name: '\ud800', slot: 1 } as const;
    expect(() => packJob('poke', wrong)).toThrow(expect.objectContaining({ code: 'queue.payload-invalid' }));
    expect(() => packJob('poke', { ...wrong, name: '' })).toThrow(
      expect.objectContaining({ where: { field: 'name' } }),
    );
  });

  test('names of types are known by themselves only', () => {
    expect(isJobType('build')).toBe(true);
    expect(isJobType('toString')).toBe(false);
  });
});
