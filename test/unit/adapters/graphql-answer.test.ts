import { describe, expect, it } from 'vitest';
import { envelopeSchema, readRepositories } from '../../../src/adapters/github/graphql-answer.ts';

const questions = [{ owner: 'o', repository: 'r', pages: { releases: { size: 50 }, tags: { size: 50 } } }];
const read = (envelope: object) => {
  const [answer] = readRepositories(questions, envelopeSchema.parse(envelope));
  return Object.values(answer?.pages ?? {}).map((page) =>
    page.kind === 'page' ? 'page' : [page.error.code, page.error.retry],
  );
};

describe('a repository without an answer', () => {
  it('is gone only where GitHub says so', () => {
    const gone = { type: 'NOT_FOUND', path: ['r0'], message: "Could not resolve to a Repository with the name 'o/r'." };
    expect(read({ data: { r0: null }, errors: [gone] })).toEqual([
      ['upstream.not-found', 'never'],
      ['upstream.not-found', 'never'],
    ]);
  });

  // As GitHub answers about a user whose contributions are too many: github.com/yoshi389111/github-profile-3d-contrib/issues/163.
  it.each([
    [
      'a list of it is too much',
      [{ type: 'RESOURCE_LIMITS_EXCEEDED', path: ['r0', 'releases', 'nodes'], message: 'limits' }],
    ],
    ['all of it is too much', [{ type: 'RESOURCE_LIMITS_EXCEEDED', message: 'limits' }]],
    ['nobody says why', []],
  ])('may come in a smaller question where %s', (_, errors) => {
    expect(read({ data: { r0: null }, errors })).toEqual([
      ['upstream.answer-invalid', 'now'],
      ['upstream.answer-invalid', 'now'],
    ]);
  });
});
