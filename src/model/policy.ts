import { z } from 'zod';

/** What the people who run the daemon say about updates, on top of what each recipe says. */
export const policySchema = z.strictObject({
  cooldownHours: z
    .number()
    .nonnegative()
    .default(0)
    .describe(
      'Hours that a release must be public before it is proposed; one that fixes a vulnerability does not wait',
    ),
  ignore: z.array(z.string()).default([]).describe('Packages that are never updated and never reported as behind'),
  pin: z
    .record(z.string(), z.string())
    .default({})
    .describe('By package: the version, or its leading part (`1.8` allows 1.8 and 1.8.2, not 1.80), that it stays on'),
  hold: z.array(z.string()).default([]).describe('Packages whose updates wait until they are taken off this list'),
});

export type Policy = z.infer<typeof policySchema>;
