import type { DependencyPin, PinMeaning, PinStep } from './dependency-pins.ts';
import type { PinEdit } from './pin-edits.ts';
import { type Found, listOf, orders, type ReadManifest, versionIn } from './project-versions.ts';

/** What comes of the pins of a recipe at a new release. */
export interface PinVerdicts {
  readonly edits: readonly PinEdit[];
  /** Sentences about the pins that go, are raised, or stay because it cannot be told whether they are needed. */
  readonly notes: readonly string[];
  /** Whether the release that the recipe has now would tell more: of a replacement, whether it was made to raise. */
  readonly asksFormer: boolean;
}

/** What comes of one pin, and why. */
type Judgement =
  | { readonly does: 'kept' | 'dropped'; readonly because: string; readonly asksFormer?: true }
  | { readonly does: 'raised'; readonly to: string; readonly because: string };

/**
 * Which pins the new release makes superfluous. A pin goes only when every project that its step names and that has the
 * dependency asks for it at that version or a later one; it is raised only where those projects differ, one asking for more than the pin
 * and another for less: then to the most that one asks for, so that none is held back. Whatever cannot be told for certain (a
 * file that is not there, a dependency that it does not name, versions without order) leaves the pin as it is. `readFormer`
 * gives the files of the release that the recipe has now, where they were asked for.
 */
export function judgePins(steps: readonly PinStep[], read: ReadManifest, readFormer?: ReadManifest): PinVerdicts {
  const edits: PinEdit[] = [];
  const sentences = new Map<string, { readonly judgement: Judgement; readonly pins: Set<string> }>();
  for (const step of steps) {
    for (const pin of step.pins) {
      const judgement = judge(pin, step, read, readFormer);
      if (judgement === undefined) continue;
      if (judgement.does === 'dropped') edits.push({ pin });
      if (judgement.does === 'raised') edits.push({ pin, to: judgement.to });
      const key = JSON.stringify(judgement);
      const sentence = sentences.get(key) ?? { judgement, pins: new Set() };
      sentences.set(key, { judgement, pins: sentence.pins.add(pin.text) });
    }
  }
  const all = [...sentences.values()];
  return {
    edits,
    notes: all.map(({ judgement, pins }) => noteOf(judgement, [...pins])),
    asksFormer: all.some(({ judgement }) => judgement.does === 'kept' && judgement.asksFormer === true),
  };
}

function noteOf(judgement: Judgement, pins: readonly string[]): string {
  const { does, because } = judgement;
  if (does === 'raised') return `Raised ${listOf(pins)} to ${judgement.to}: ${because}`;
  return `${does === 'dropped' ? 'Dropped' : 'Kept'} ${listOf(pins)}: ${because}`;
}

function judge(
  { means }: DependencyPin,
  step: PinStep,
  read: ReadManifest,
  readFormer: ReadManifest | undefined,
): Judgement | undefined {
  if (step.fixed !== undefined) return keep(step.fixed);
  if (means === undefined) return keep('it is no pin that regrow can compare');
  const found = step.roots.map((root) => versionIn(means, root, step, read));
  const known = found.flatMap((one) => ('version' in one ? [one] : []));
  const unclear = found.flatMap((one) => {
    if ('unclear' in one) return [one.unclear];
    // That no project has it can also mean that it is somewhere else now.
    return 'unused' in one && known.length === 0 ? [one.unused] : [];
  });
  if (unclear.length > 0) return keep(listOf(unclear));
  const compare = orders[means.ecosystem];
  const ordered = known.map((one) => ({ ...one, order: compare(one.version, means.version) }));
  const says = (order: 1 | -1 | undefined) => listOf(ordered.flatMap((one) => (one.order === order ? [one.says] : [])));
  if (ordered.some(({ order }) => order === undefined)) return keep(`${says(undefined)}, which has no order with it`);
  const top = ordered
    .filter(({ order }) => order === 1)
    .toSorted((a, b) => compare(a.version, b.version) ?? 0)
    .at(-1);
  // Without such a replacement Go would take the later version. Where upstream asked for less than it until now, it was made
  // to raise; otherwise it may be there against just that.
  if (means.by === means.name && top !== undefined && !wasRaise(means, step, readFormer)) {
    const because = `${says(1)}, which it may hold back on purpose`;
    return { does: 'kept', because, ...(readFormer === undefined ? { asksFormer: true } : {}) };
  }
  const isMet = ordered.length > 0 && ordered.every(({ order }) => order !== -1);
  if (isMet) return { does: 'dropped', because: listOf(ordered.map((one) => one.says)) };
  if (top === undefined) return undefined;
  return { does: 'raised', to: top.version, because: `${top.says}, ${says(-1)}` };
}

/** Whether every project that has it asked for less than the pin at the release that the recipe has now. */
function wasRaise(means: PinMeaning, step: PinStep, readFormer: ReadManifest | undefined): boolean {
  if (readFormer === undefined) return false;
  const found = step.roots.map((root) => versionIn(means, root, step, readFormer));
  const isLower = (one: Found) => 'version' in one && orders[means.ecosystem](one.version, means.version) === -1;
  return found.some(isLower) && found.every((one) => isLower(one) || 'unused' in one);
}

function keep(because: string): Judgement {
  return { does: 'kept', because };
}
