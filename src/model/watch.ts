import { z } from 'zod';
import { updateBlockSchema } from './recipe/update-block.ts';

/** A recipe that watches a source, and how it reads the tags there. */
export const watcherSchema = z.strictObject({
  package: z.string(),
  /** Without epoch. */
  version: z.string().optional(),
  update: updateBlockSchema,
  chosenBy: z.enum(['annotation', 'update', 'address']),
  /** The leading part that its versions have. */
  stream: z.string().optional(),
  /** Versions that are never taken. */
  ignore: z.array(z.string()).optional(),
});

/** One upstream source that recipes on main watch, and when it is asked. */
export const watchRowSchema = z.strictObject({
  source: z.string(),
  /** The recipes that watch it, sorted. None: it is no longer asked, and kept for a while in case one comes back. */
  packages: z.array(z.string()),
  /** Seconds from one look to the next. */
  interval: z.number().int().positive(),
  /** When it was last asked, whatever it said; absent before the first time. */
  asked: z.iso.datetime().optional(),
});

export type Watcher = z.infer<typeof watcherSchema>;
export type WatchRow = z.infer<typeof watchRowSchema>;

/** When a source is due, milliseconds since 1970; one that was never asked has been so for ever. */
export function dueAt({ asked, interval }: Pick<WatchRow, 'asked' | 'interval'>): number {
  return asked === undefined ? Number.NEGATIVE_INFINITY : Date.parse(asked) + interval * 1000;
}
