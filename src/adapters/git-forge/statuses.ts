import { z } from 'zod';
import { RegrowError } from '../../errors.ts';
import type { CommitStatus } from '../../ports/forge.ts';
import type { Plumbing } from './plumbing.ts';

const statusesSchema = z.record(
  z.string(),
  z.strictObject({
    context: z.string(),
    state: z.enum(['pending', 'success', 'failure', 'error']),
    description: z.string(),
    url: z.string().optional(),
  }),
);

const tries = 5;

/** Puts one status of a commit among the others, by its context. */
export async function addStatus(git: Plumbing, commit: string, status: CommitStatus): Promise<void> {
  const ref = `refs/regrow/statuses/${commit}`;
  for (let attempt = 0; attempt < tries; attempt += 1) {
    const before = await git.resolve(ref);
    const known =
      before === undefined ? {} : statusesSchema.parse(JSON.parse(await git.run(['cat-file', 'blob', before])));
    const all = { ...known, [status.context]: status };
    const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
    const after = await git.writeBlob(`${JSON.stringify(sorted, undefined, 2)}\n`);
    if (after === before || (await git.moveRefs([{ ref, from: before, to: after }]))) return;
  }
  throw new RegrowError('forge.conflict', `the statuses of ${commit} keep changing`, { retry: 'later' });
}
