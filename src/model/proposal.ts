import { z } from 'zod';

/** One recipe that a proposal changes: from `1.2.3-r1` to `1.2.4-r0`. */
export const changeSchema = z.strictObject({
  package: z.string(),
  path: z.string(),
  from: z.string(),
  to: z.string(),
  why: z.string(),
});

/**
 * An update as it is on the forge: a branch `regrow/PACKAGE` and a pull request on it. Everything here can be read back
 * from the forge, so that no database is needed to go on.
 */
export const proposalSchema = z.strictObject({
  package: z.string(),
  /** Full version with epoch, `1.2.4-r0`. */
  version: z.string(),
  number: z.number().int(),
  url: z.string(),
  branch: z.string(),
  title: z.string(),
  state: z.enum(['open', 'merged', 'closed']),
  /** Head of the branch and the commit of the main branch that it starts from. */
  head: z.string(),
  base: z.string(),
  changes: z.array(changeSchema),
  fixes: z.array(z.string()),
  labels: z.array(z.string()),
  openedAt: z.string(),
  closedAt: z.string().optional(),
  /** Who closed it without merging, where it was not us. */
  closedBy: z.string().optional(),
});

export type Change = z.infer<typeof changeSchema>;
export type Proposal = z.infer<typeof proposalSchema>;
