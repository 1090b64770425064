import { z } from 'zod';
import { listOf, readJson } from '../document.ts';
import { identifierOf, peeled, publishedAt } from '../observe.ts';
import { pollPages } from '../pages.ts';
import type { ReleaseSource } from '../source.ts';

const hostForm = /^(?:[a-z0-9-]+\.)+[a-z0-9-]+(?::\d+)?$/i;
const projectForm = /^[a-zA-Z0-9_][\w.-]*(?:\/[a-zA-Z0-9_][\w.-]*)+$/;
/** `/-/` is between a project and what GitLab has of it, and in no other path. */
const addressForm = /^https:\/\/([^/]+)\/([^${}?#]+?)\/-\/(?:archive|releases)\//;

const tagSchema = z.object({
  name: z.string(),
  /** Of an annotated tag its own object, of others their commit. */
  target: z.string().optional().catch(undefined),
  created_at: z.unknown().optional(),
  commit: z.object({ id: z.string(), created_at: z.unknown().optional() }).nullish(),
});

/**
 * Tags of a project on a GitLab (docs.gitlab.com/api/tags), newest first, with the commits that they peel to.
 * Keys: `gitlab:HOST/GROUP/PROJECT`, with as many groups as there are.
 */
export const gitlabSource: ReleaseSource = {
  kind: 'gitlab',
  key: () => undefined,
  annotated: keyOf,

  inferred(address) {
    const [, host = '', project = ''] = addressForm.exec(address) ?? [];
    return keyOf(`${host}/${project}`);
  },

  poll(request, ports) {
    const [host = '', ...path] = identifierOf(request.source).split('/');
    const project = encodeURIComponent(path.join('/'));
    const url = `https://${host}/api/v4/projects/${project}/repository/tags?order_by=updated&sort=desc&per_page=100`;
    return pollPages(request, ports, { url, accept: 'application/json', most: 20 }, (page) =>
      readJson(page, listOf(tagSchema)).map(({ name, target, created_at: date, commit }) => ({
        tag: name,
        prerelease: false,
        // When an annotated tag was made; of others there is only their commit's date.
        ...publishedAt(date ?? commit?.created_at),
        ...peeled(commit?.id, target),
      })),
    );
  },
};

function keyOf(identifier: string): string | undefined {
  const [host = '', ...path] = identifier.split('/');
  return hostForm.test(host) && projectForm.test(path.join('/')) ? `gitlab:${identifier}` : undefined;
}
