import { RegrowError } from '../../errors.ts';
import type { Recipe } from '../../model/recipe/recipe.ts';
import type { ReleaseSource } from '../source.ts';

const keyForm = /^github:([\w.-]+)\/([\w.-]+)\/(releases|tags)$/;

/** `update.github`: releases, or tags with `use-tag`. Keys: `github:OWNER/REPO/releases`, `github:OWNER/REPO/tags`. */
export const githubSource: ReleaseSource = {
  kind: 'github',

  key(recipe: Recipe) {
    const github = recipe.update?.github;
    if (github === undefined) return undefined;
    const key = `github:${github.identifier}/${github['use-tag'] === true ? 'tags' : 'releases'}`;
    return keyForm.test(key) ? key : undefined;
  },

  annotated(identifier) {
    return /^[\w.-]+\/[\w.-]+$/.test(identifier) ? `github:${identifier}/tags` : undefined;
  },

  async poll({ source, cursor, signal }, { releases, clock }) {
    const [, owner, repository, list] = keyForm.exec(source) ?? [];
    if (owner === undefined || repository === undefined || list === undefined) {
      throw new RegrowError('internal', `${source} is not a key of GitHub releases or tags`);
    }
    const query = {
      owner,
      repository,
      ...(cursor === undefined ? {} : { cursor }),
      ...(signal === undefined ? {} : { signal }),
    };
    const answer = list === 'tags' ? await releases.tags(query) : await releases.releases(query);
    if (answer.kind === 'unchanged') return answer;
    const observedAt = clock.now().toISOString();
    return {
      kind: 'observed',
      observation: { kind: 'release', source, tags: [...answer.tags], observedAt },
      cursor: answer.cursor,
    };
  },
};
