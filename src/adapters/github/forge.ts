import { RegrowError } from '../../errors.ts';
import type { Forge } from '../../ports/forge.ts';
import { putComment } from './comments.ts';
import { gitHubFailure, statusOf } from './failure.ts';
import { deleteBranch, readBranch, writeBranch } from './git-data.ts';
import type { GitHubForgeOptions } from './options.ts';
import { closedByUsLabel, createPullMemory, findOpen, listPulls, proposalOf, readPull } from './pulls.ts';
import { setStatus } from './statuses.ts';

/** The Forge port on GitHub: git-data calls, so that there is no clone, and pull requests. */
export function createGitHubForge(options: GitHubForgeOptions): Forge {
  const { client } = options;
  const memory = createPullMemory();
  const place = { owner: options.owner, repo: options.repository };
  const name = `${place.owner}/${place.repo}`;

  /** Runs a call; whatever fails is said as what was being done. */
  async function doing<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      throw gitHubFailure(`${what} in ${name}`, thrown);
    }
  }

  return {
    list: (prefix, since) => doing('list pull requests', () => listPulls(options, memory, prefix, since)),

    find: (branch) => doing(`find the pull request of ${branch}`, () => findOpen(options, memory, branch)),

    branch: (branch) => doing(`read branch ${branch}`, () => readBranch(options, branch)),

    write: (write) => doing(`write branch ${write.branch}`, () => writeBranch(options, write)),

    open: (branch, text) =>
      doing(`open the pull request of ${branch}`, async () => {
        let number: number;
        try {
          const { title, body } = text;
          const made = await client.rest.pulls.create({
            ...place,
            head: branch,
            base: options.mainBranch,
            title,
            body,
          });
          number = made.data.number;
        } catch (thrown) {
          // 422 is GitHub's answer to a second one for the branch, and to others: only the first has one that is open.
          const open = statusOf(thrown) === 422 ? await findOpen(options, memory, branch) : undefined;
          if (open === undefined) throw thrown;
          return open;
        }
        if (text.labels.length > 0) {
          await client.rest.issues.addLabels({ ...place, issue_number: number, labels: [...text.labels] });
        }
        return proposalOf(options, await readPull(options, number), memory);
      }),

    update: (number, { title, body, labels }) =>
      doing(`update pull request ${number}`, async () => {
        if (title !== undefined || body !== undefined) {
          await client.rest.pulls.update({
            ...place,
            pull_number: number,
            ...(title === undefined ? {} : { title }),
            ...(body === undefined ? {} : { body }),
          });
        }
        // Added only: labels that people put there are theirs.
        if (labels !== undefined && labels.length > 0) {
          await client.rest.issues.addLabels({ ...place, issue_number: number, labels: [...labels] });
        }
      }),

    setStatus: (commit, status) => doing(`set a status of ${commit}`, () => setStatus(options, commit, status)),

    comment: (number, key, text) =>
      doing(`comment on pull request ${number}`, () => putComment(options, number, key, text)),

    merge: (number, head) =>
      doing(`merge pull request ${number}`, async () => {
        const pull = await readPull(options, number);
        if (pull.merged_at && pull.merge_commit_sha) return pull.merge_commit_sha;
        try {
          const merged = await client.rest.pulls.merge({
            ...place,
            pull_number: number,
            sha: head,
            merge_method: 'merge',
            commit_title: `${pull.title} (#${number})`,
          });
          await deleteBranch(options, pull.head.ref);
          return merged.data.sha;
        } catch (thrown) {
          // 405: does not merge, or a rule of the repository is not met. 409: the head is another one.
          if (statusOf(thrown) !== 405 && statusOf(thrown) !== 409) throw thrown;
          const { mergeable, head: now } = await readPull(options, number);
          if (statusOf(thrown) === 405 && mergeable === true && now.sha === head) {
            const said = thrown instanceof Error ? `: ${thrown.message}` : '';
            throw new RegrowError('forge.refused', `a rule of ${name} keeps #${number} from being merged${said}`, {
              retry: 'later',
              cause: thrown,
              remedy:
                'merge it by hand, or let the token do so: reviews, checks, and the kinds of merge that are allowed',
            });
          }
          throw new RegrowError('forge.conflict', `${name}#${number} does not merge at ${head}`, {
            retry: 'later',
            cause: thrown,
            remedy: 'see what the pull request page says: it was pushed to, conflicts, or a required check is missing',
          });
        }
      }),

    close: (number, why) =>
      doing(`close pull request ${number}`, async () => {
        const pull = await readPull(options, number);
        if (pull.state === 'closed') return;
        // The label first: stopped in between, the next time still knows that it was us.
        await client.rest.issues.addLabels({ ...place, issue_number: number, labels: [closedByUsLabel] });
        await putComment(options, number, 'closed', why);
        await client.rest.pulls.update({ ...place, pull_number: number, state: 'closed' });
      }),
  };
}
