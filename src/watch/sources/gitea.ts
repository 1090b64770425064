import { z } from 'zod';
import { listOf, readJson } from '../document.ts';
import { identifierOf, peeled, publishedAt } from '../observe.ts';
import { pollPages } from '../pages.ts';
import type { ReleaseSource } from '../source.ts';

const keyForm = /^(?:[a-z0-9-]+\.)+[a-z0-9-]+(?::\d+)?\/[a-zA-Z0-9_][\w.-]*\/[a-zA-Z0-9_][\w.-]*$/;
/** Others cannot be told from other code hosts by their addresses. */
const addressForm = /^https:\/\/((?:codeberg\.org|gitea\.com)\/[^/]+\/[^/]+)\/(?:archive|releases\/download)\//;

const tagSchema = z.object({
  name: z.string(),
  /** Of an annotated tag its own object, of others their commit. */
  id: z.string().optional().catch(undefined),
  commit: z.object({ sha: z.string(), created: z.unknown().optional() }).nullish(),
});

/**
 * Tags of a repository on Codeberg or another Gitea or Forgejo (/api/swagger, repoListTags), newest first, with the commits that they
 * peel to. Keys: `gitea:HOST/OWNER/REPOSITORY`.
 */
export const giteaSource: ReleaseSource = {
  kind: 'gitea',
  key: () => undefined,
  annotated: keyOf,

  inferred(address) {
    const [, repository = ''] = addressForm.exec(address) ?? [];
    return keyOf(repository);
  },

  poll(request, ports) {
    const [host = '', owner = '', name = ''] = identifierOf(request.source).split('/');
    // 50 is what a page may have where an operator says nothing else.
    const url = `https://${host}/api/v1/repos/${owner}/${name}/tags?limit=50`;
    return pollPages(request, ports, { url, accept: 'application/json', most: 40 }, (page) =>
      readJson(page, listOf(tagSchema)).map(({ name: tag, id, commit }) => ({
        tag,
        prerelease: false,
        ...publishedAt(commit?.created),
        ...peeled(commit?.sha, id),
      })),
    );
  },
};

function keyOf(identifier: string): string | undefined {
  return keyForm.test(identifier) ? `gitea:${identifier}` : undefined;
}
