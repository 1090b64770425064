import type { Policy } from '../model/policy.ts';
import type { RecipeAnnotations } from '../model/recipe/annotations.ts';
import { isInStream } from './streams.ts';
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
  | { readonly kind: 'pinned'; readonly newest: Candidate; readonly pin: Pin }
  | { readonly kind: 'cooling-down'; readonly newest: Candidate; readonly until: string; readonly cooldown: Cooldown };

/** The version, or its leading part, that a package stays on. */
export interface Pin {
  readonly version: string;
  /** Who says it. */
  readonly by: string;
}

/** How long a release must be public before it is proposed. */
export interface Cooldown {
  readonly hours: number;
  readonly by: string;
  /** Whether the dates of its releases are what their authors wrote, as those of git tags are: anyone may write an old one. */
  readonly datedByAuthors: boolean;
}

export interface Limits {
  readonly pin: Pin | undefined;
  readonly cooldown: Cooldown;
}

/** What narrows the choice for one package: the recipe's own word before the configuration's. `source`: key of its source. */
export function limitsOf(packageName: string, source: string, policy: Policy, annotations: RecipeAnnotations): Limits {
  const configured = own(policy.pin, packageName);
  const annotated = annotations.pin;
  const pin =
    annotated !== undefined
      ? { version: annotated, by: 'the recipe (dev.regrow.pin)' }
      : configured === undefined
        ? undefined
        : { version: configured, by: 'the configuration (policy.pin)' };
  return { pin, cooldown: cooldownOf(source, policy, annotations) };
}

function cooldownOf(source: string, policy: Policy, annotations: RecipeAnnotations): Cooldown {
  const datedByAuthors = /^(?:git|gitlab|gitea):|^github:.*\/tags$/.test(source);
  const recipe = annotations['cooldown-hours'];
  if (recipe !== undefined) return { hours: recipe, by: 'dev.regrow.cooldown-hours', datedByAuthors };
  const kind = source.split(':', 1)[0] ?? '';
  const ofKind = own(policy.cooldown, kind);
  if (ofKind !== undefined) return { hours: ofKind, by: `policy.cooldown.${kind}`, datedByAuthors };
  return { hours: policy.cooldownHours, by: 'policy.cooldownHours', datedByAuthors };
}

function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

const hour = 60 * 60 * 1000;

/**
 * The newest version that may be proposed now. A pin narrows the choice first. A version whose cooldown is not over is
 * passed over for an older one whose cooldown is, unless it fixes something that the older one does not.
 */
export function chooseTarget(
  newer: readonly Candidate[],
  { pin, cooldown }: Limits,
  now: Date,
  fixesOf: (version: string) => readonly string[],
): Choice {
  const [newest] = newer;
  if (newest === undefined) throw new RangeError('no version to choose from');
  const allowed = pin === undefined ? newer : newer.filter(({ version }) => isInStream(version, pin.version));
  const [best] = allowed;
  if (best === undefined) return { kind: 'pinned', newest, pin: pin ?? { version: '', by: '' } };
  const notes = best === newest || pin === undefined ? [] : [`${newest.version} is outside of the pin ${pin.version}`];

  const readyAt = readyTime(cooldown);
  const fixedByBest = fixesOf(best.version);
  const ready = allowed.find((candidate) => readyAt(candidate) <= now.getTime());
  const fixedByReady = ready === undefined ? [] : fixesOf(ready.version);
  if (ready === best) return { kind: 'target', candidate: best, fixes: fixedByBest, notes };
  if (fixedByBest.some((id) => !fixedByReady.includes(id))) {
    const note = `its cooldown of ${cooldown.hours} h is skipped: it fixes a known vulnerability`;
    return { kind: 'target', candidate: best, fixes: fixedByBest, notes: [...notes, note] };
  }
  const until = new Date(readyAt(best)).toISOString();
  if (ready === undefined) return { kind: 'cooling-down', newest: best, until, cooldown };
  const note = `${best.version} is newer and waits until ${until}`;
  return { kind: 'target', candidate: ready, fixes: fixedByReady, notes: [...notes, note] };
}

/**
 * Milliseconds since 1970. Counted from when it was published, else from when regrow first saw it, and no later than that; what
 * was there before the first look and has no date leaves nothing to wait for.
 */
function readyTime({ hours, datedByAuthors }: Cooldown): (candidate: Candidate) => number {
  return ({ tag }) => {
    const [published, seen] = [timeOf(tag.publishedAt), timeOf(tag.seenAt)];
    const since = datedByAuthors ? (seen ?? published) : earlier(published, seen);
    return since === undefined ? 0 : since + hours * hour;
  };
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

function timeOf(date: string | undefined): number | undefined {
  const time = date === undefined ? Number.NaN : Date.parse(date);
  return Number.isNaN(time) ? undefined : time;
}
