import { RegrowError } from '../../errors.ts';
import { type Forge, type ForgeProposal, isSealed, type ProposalText } from '../../ports/forge.ts';
import { commitOn, conflict, mergeOf } from './commits.ts';
import { createPlumbing, type GitForgeOptions, type RefChange } from './plumbing.ts';
import { createRecords, openRef, type ProposalRecord } from './records.ts';
import { addStatus } from './statuses.ts';

/**
 * The Forge port on a bare git repository: branches are branches; a proposal is a JSON record at `refs/regrow/proposals/N`,
 * statuses are at `refs/regrow/statuses/COMMIT`. Every change is one ref transaction with the old values, so that no two
 * writers and no kill in between leave half of it. People act with git alone: pushing to a branch, merging it into main
 * (the proposal is then merged), or deleting it (closed by hand).
 */
export function createGitForge(options: GitForgeOptions): Forge {
  const { clock, mainBranch } = options;
  const git = createPlumbing(options);
  const records = createRecords(git);
  const now = (): string => clock.now().toISOString();

  /** A record as it is now: what people did to its branch is taken into it. */
  async function settle(record: ProposalRecord): Promise<ProposalRecord> {
    if (record.state !== 'open') return record;
    const tip = await git.resolve(`refs/heads/${record.branch}`);
    const head = tip ?? record.head;
    const merged = await git.isAncestor(head, await git.mainHead());
    if (tip !== undefined && !merged) return { ...record, head };
    const ended: ProposalRecord = {
      ...record,
      head,
      state: merged ? 'merged' : 'closed',
      closedAt: now(),
      ...(merged ? {} : { closedBy: 'someone (the branch was deleted)' }),
    };
    await records.replace(record, ended, [{ ref: openRef(record.branch), from: 'any', to: undefined }]);
    return ended;
  }

  async function read(number: number): Promise<ProposalRecord> {
    const record = await records.get(number);
    if (record === undefined) {
      throw new RegrowError('forge.refused', `${options.repository} has no proposal ${number}`);
    }
    return settle(record);
  }

  async function findOpen(branch: string): Promise<ProposalRecord | undefined> {
    const record = await records.openOf(branch);
    const settled = record === undefined ? undefined : await settle(record);
    return settled?.state === 'open' ? settled : undefined;
  }

  async function edit(number: number, change: (record: ProposalRecord) => ProposalRecord): Promise<void> {
    const record = await read(number);
    await records.replace(record, change(record), []);
  }

  async function open(branch: string, text: ProposalText): Promise<ForgeProposal> {
    const known = await findOpen(branch);
    if (known !== undefined) return present(known);
    const head = await git.resolve(`refs/heads/${branch}`);
    if (head === undefined) throw new RegrowError('forge.refused', `${options.repository} has no branch ${branch}`);
    const { title, body, labels } = text;
    const record = { branch, title, body, labels: [...labels], state: 'open' as const, head, openedAt: now() };
    return present(await records.create({ ...record, comments: {} }));
  }

  function present(record: ProposalRecord): ForgeProposal {
    const { comments: _comments, ...proposal } = record;
    return { ...proposal, url: `${options.repository}#${record.number}` };
  }

  return {
    async list(prefix, since) {
      const found: ForgeProposal[] = [];
      for (const record of await records.all()) {
        if (!record.branch.startsWith(prefix)) continue;
        const settled = await settle(record);
        const recent = since !== undefined && Date.parse(settled.closedAt ?? '') >= Date.parse(since);
        if (settled.state === 'open' || recent) found.push(present(settled));
      }
      return found;
    },

    async find(branch) {
      const record = await findOpen(branch);
      return record === undefined ? undefined : present(record);
    },

    async branch(name) {
      const commit = await git.resolve(`refs/heads/${name}`);
      if (commit === undefined) return undefined;
      const { message, tree } = await git.readCommit(commit);
      return { commit, message, ours: isSealed(message, tree) };
    },

    async write(write) {
      const commit = await commitOn(git, write);
      const ref = `refs/heads/${write.branch}`;
      if (!(await git.moveRefs([{ ref, from: write.expectedHead, to: commit }]))) throw await conflict(git, write);
      return commit;
    },

    open,

    update: (number, { title, body, labels }) =>
      edit(number, (record) => ({
        ...record,
        ...(title === undefined ? {} : { title }),
        ...(body === undefined ? {} : { body }),
        labels: [...new Set([...record.labels, ...(labels ?? [])])],
      })),

    setStatus: (commit, status) => addStatus(git, commit, status),

    comment: (number, key, text) =>
      edit(number, (record) => ({ ...record, comments: { ...record.comments, [key]: text } })),

    async merge(number, head) {
      const record = await read(number);
      const main = await git.mainHead();
      if (record.state === 'merged') return main;
      if (record.state === 'closed' || record.head !== head) {
        throw new RegrowError(
          'forge.conflict',
          `proposal ${number} is ${record.state} at ${record.head}, not open at ${head}`,
          {
            retry: 'later',
            remedy: 'it is looked at again by itself',
          },
        );
      }
      const merged = await mergeOf(git, main, head, `${record.title} (#${number})`);
      const done: ProposalRecord = { ...record, state: 'merged', closedAt: now() };
      const changes: RefChange[] = [
        { ref: `refs/heads/${mainBranch}`, from: main, to: merged },
        { ref: `refs/heads/${record.branch}`, from: head, to: undefined },
        { ref: openRef(record.branch), from: 'any', to: undefined },
      ];
      await records.replace(record, done, changes);
      return merged;
    },

    async close(number, why) {
      const record = await read(number);
      if (record.state !== 'open') return;
      const comments = { ...record.comments, closed: why };
      const closed: ProposalRecord = { ...record, state: 'closed', closedAt: now(), comments };
      await records.replace(record, closed, [{ ref: openRef(record.branch), from: 'any', to: undefined }]);
    },
  };
}
