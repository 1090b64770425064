import { isApkVersion, matchesFuzzily } from '../model/apk-version.ts';
import type { Policy } from '../model/policy.ts';
import type { Candidate } from './version-rules.ts';

export type Choice =
  | {
      readonly kind: 'target';
      readonly candidate: Candidate;
      /** Ids of the findings that it fixes. */
      readonly fixes: readonly string[];
      /** What else was considered, one sentence each. */
      readonly notes: readonly string[];
    }
  | { readonly kind: 'pinned'; readonly newest: Candidate; readonly pin: string }
  | { readonly kind: 'cooling-down'; readonly newest: Candidate; readonly until: string };

const hour = 60 * 60 * 1000;

/**
 * The newest version that may be proposed now. A pin narrows the choice first. A version whose cooldown is not over is
 * passed over for an older one whose cooldown is, unless it fixes something that the older one does not.
 */
export function chooseTarget(
  newer: readonly Candidate[],
  policy: Policy,
  packageName: string,
  now: Date,
  fixesOf: (version: string) => readonly string[],
): Choice {
  const [newest] = newer;
  if (newest === undefined) throw new RangeError('no version to choose from');
  const pin = Object.hasOwn(policy.pin, packageName) ? policy.pin[packageName] : undefined;
  const allowed = pin === undefined ? newer : newer.filter(({ version }) => isWithin(version, pin));
  const [best] = allowed;
  if (best === undefined) return { kind: 'pinned', newest, pin: pin ?? '' };
  const notes = best === newest ? [] : [`${newest.version} is outside of the pin ${pin}`];

  const fixedByBest = fixesOf(best.version);
  const readyIndex = allowed.findIndex((candidate) => readyAt(candidate, policy) <= now.getTime());
  const ready = readyIndex === -1 ? undefined : allowed[readyIndex];
  const fixedByReady = ready === undefined ? [] : fixesOf(ready.version);
  if (ready === best) return { kind: 'target', candidate: best, fixes: fixedByBest, notes };
  if (fixedByBest.some((id) => !fixedByReady.includes(id))) {
    const note = `its cooldown of ${policy.cooldownHours} h is skipped: it fixes a known vulnerability`;
    return { kind: 'target', candidate: best, fixes: fixedByBest, notes: [...notes, note] };
  }
  const until = new Date(readyAt(best, policy)).toISOString();
  if (ready === undefined) return { kind: 'cooling-down', newest: best, until };
  const note = `${best.version} is newer and waits until ${until}`;
  return { kind: 'target', candidate: ready, fixes: fixedByReady, notes: [...notes, note] };
}

/** Milliseconds since 1970. A source that gives no date leaves nothing to wait for. */
function readyAt({ tag }: Candidate, policy: Policy): number {
  const published = tag.publishedAt === undefined ? Number.NaN : Date.parse(tag.publishedAt);
  return Number.isNaN(published) ? 0 : published + policy.cooldownHours * hour;
}

function isWithin(version: string, pin: string): boolean {
  return isApkVersion(pin) ? matchesFuzzily(version, pin) : version === pin;
}
