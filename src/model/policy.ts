import { z } from 'zod';

const hours = z.number().nonnegative();

const holdSchema = z.strictObject({
  package: z.string(),
  reason: z.string().min(1),
  until: z
    .union([z.iso.date(), z.iso.datetime({ offset: true })])
    .optional()
    .describe('ISO 8601 date (its beginning, UTC) or time from which on the hold is over'),
});

/** What the people who run the daemon say about updates, on top of what each recipe says. */
export const policySchema = z.strictObject({
  cooldownHours: hours
    .default(0)
    .describe(
      'Hours that a release must be public before it is proposed; one that fixes a vulnerability does not wait',
    ),
  cooldown: z
    .record(z.string(), hours)
    .default({})
    .describe('The same by kind of source (`npm: 72`), instead of `cooldownHours`; a recipe may say its own'),
  ignore: z.array(z.string()).default([]).describe('Packages that are never updated and never reported as behind'),
  pin: z
    .record(z.string(), z.string())
    .default({})
    .describe('By package: the version, or its leading part (`1.8` allows 1.8 and 1.8.2, not 1.80), that it stays on'),
  hold: z
    .array(z.union([z.string(), holdSchema]))
    .default([])
    .describe(
      'Packages whose updates wait: a name, or `{package, reason, until}`, where the hold is over from `until` (ISO 8601) on',
    ),
  anyStream: z
    .array(z.string())
    .default([])
    .describe('Packages whose name ends in a version (`foo-1.2`) and that may leave it all the same'),
  sharedFollowers: z
    .number()
    .int()
    .nonnegative()
    .default(100)
    .describe(
      'How many packages an update may rebuild because its recipe says `shared: true`; more and it rebuilds none',
    ),
});

export type Policy = z.infer<typeof policySchema>;
