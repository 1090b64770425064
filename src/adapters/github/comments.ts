import { z } from 'zod';
import { readAnswer } from './failure.ts';
import type { GitHubForgeOptions } from './options.ts';

const pageSize = 100;
const commentsSchema = z.array(z.object({ id: z.number().int(), body: z.string().nullish() }));

/** One comment per key, known by a line that is not shown. A comment that says the same already is left alone. */
export async function putComment(
  { client, owner, repository }: GitHubForgeOptions,
  number: number,
  key: string,
  text: string,
): Promise<void> {
  const place = { owner, repo: repository };
  const mark = `<!-- regrow:${key.replaceAll('--', '- -')} -->`;
  const body = `${mark}\n${text}`;
  for (let page = 1; ; page += 1) {
    const answer = await client.rest.issues.listComments({ ...place, issue_number: number, per_page: pageSize, page });
    const comments = readAnswer(commentsSchema, answer.data, `read the comments of ${number}`);
    const known = comments.find((comment) => comment.body?.startsWith(mark) === true);
    if (known !== undefined) {
      if (known.body !== body) await client.rest.issues.updateComment({ ...place, comment_id: known.id, body });
      return;
    }
    if (comments.length < pageSize) break;
  }
  await client.rest.issues.createComment({ ...place, issue_number: number, body });
}
