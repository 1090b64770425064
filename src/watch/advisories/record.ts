import { RegrowError } from '../../errors.ts';
import type { AdvisoryObservation } from '../../model/observation.ts';
import { osvSchema } from '../../model/osv.ts';
import type { AdvisoryFeed } from './feed.ts';

/** One record of a feed. Throws upstream.answer-invalid, naming the feed and the record. */
export function readRecord(feed: AdvisoryFeed, name: string, text: string, now: Date): AdvisoryObservation {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw malformed(feed, name, 'is not JSON', cause);
  }
  const parsed = osvSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw malformed(feed, name, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not OSV'}`, parsed.error);
  }
  if (Number.isNaN(Date.parse(parsed.data.modified))) throw malformed(feed, name, 'modified: not a date', undefined);
  return { kind: 'advisory', feed: feed.name, id: parsed.data.id, osv: parsed.data, observedAt: now.toISOString() };
}

function malformed(feed: AdvisoryFeed, name: string, what: string, cause: unknown): RegrowError {
  return new RegrowError('upstream.answer-invalid', `feed ${feed.name}, record ${name}: ${what}`, {
    cause,
    remedy: 'tell the people of the feed; the record is read again when it changes',
  });
}
