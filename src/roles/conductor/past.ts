import { z } from 'zod';
import type { NothingNew } from '../../decide/new-pins.ts';
import type { Past, PastUpdate, Release } from '../../decide/past-updates.ts';
import type { Proposal } from '../../model/proposal.ts';
import type { Book } from './book.ts';
import type { RecipeFile } from './recipes.ts';
import type { World } from './world.ts';

/**
 * What was proposed for each package before. The forge tells of those that are open or ended lately. The ledger knows the older
 * ones: each version is proposed once.
 */
export function pastsOf(book: Book, world: World): (name: string) => Past {
  const pasts = new Map<string, { proposals: Proposal[]; history: PastUpdate[] }>();
  const of = (name: string) => {
    const past = pasts.get(name) ?? { proposals: [], history: [] };
    pasts.set(name, past);
    return past;
  };
  const listed = new Set<number>();
  for (const proposal of world.proposals) {
    listed.add(proposal.number);
    of(proposal.package).proposals.push(proposal);
  }
  for (const { value: proposal } of book.all('proposal')) {
    // One that was open when it was last seen has ended since, nobody saw how.
    if (listed.has(proposal.number) || proposal.state === 'open') continue;
    const { proposals, history } = of(proposal.package);
    const { version, state, url } = proposal;
    if (proposal.closedBy !== undefined) proposals.push(proposal);
    else history.push({ version, at: proposal.closedAt ?? proposal.openedAt, state, url });
  }
  return (name) => ({ ...(pasts.get(name) ?? { proposals: [], history: [] }), released: releaseOf(book, name) });
}

/** Milliseconds in which a server that was told of a merge may still give out main as it was before. */
const mergeLag = 2 * 60_000;

/**
 * Without merges that main, as it was read, may not have yet: its newest commit is older than the merge, which was a moment ago or
 * was heard of before main could not be read. What main does not have yet, it has not gone back from.
 */
export function withoutUnseenMerges(past: Past, world: World, now: Date): Past {
  const isSeen = ({ state, closedAt }: Proposal) => {
    const merged = Date.parse(closedAt ?? '');
    if (state !== 'merged' || Number.isNaN(merged)) return true;
    return world.tree.time * 1000 >= merged || (world.reachable && now.getTime() - merged >= mergeLag);
  };
  return { ...past, proposals: past.proposals.filter(isSeen) };
}

/** What two pasts that say the same have in common. */
export function pastText({ proposals, history, released }: Past): string {
  return [
    ...proposals.map(({ number, state, version, closedAt }) => `${number} ${state} ${version} ${closedAt}`),
    ...history.map(({ version, at }) => `${version} ${at}`),
    released === undefined ? '' : `${released.version} ${released.at}`,
  ].join();
}

const releaseKey = (name: string) => `released/${name}`;
const nothingNewKey = (name: string) => `nothing-new/${name}`;

/** The version that a person last released. */
export function releaseOf(book: Book, name: string): Release | undefined {
  const [version, at] = book.get('cursor', releaseKey(name))?.value.cursor?.split(' ') ?? [];
  return version === undefined || at === undefined ? undefined : { version, at };
}

export async function rememberRelease(book: Book, name: string, { version, at }: Release): Promise<void> {
  await book.put('cursor', releaseKey(name), { cursor: `${version} ${at}` });
}

const nothingNewSchema = z.strictObject({
  blob: z.string(),
  version: z.string(),
  commit: z.string().optional(),
  lookedUp: z.array(z.string()),
  at: z.string(),
});

/** What was found when an update of this recipe, as it is now, was about to be proposed. */
export function nothingNewOf(book: Book, file: RecipeFile): NothingNew | undefined {
  const text = book.get('cursor', nothingNewKey(file.recipe.package.name))?.value.cursor;
  if (text === undefined) return undefined;
  const { blob, ...found } = nothingNewSchema.parse(JSON.parse(text));
  return blob === file.blob ? found : undefined;
}

export async function rememberNothingNew(book: Book, file: RecipeFile, found: NothingNew): Promise<void> {
  const row = { blob: file.blob, ...found, lookedUp: [...found.lookedUp] } satisfies z.infer<typeof nothingNewSchema>;
  await book.put('cursor', nothingNewKey(file.recipe.package.name), { cursor: JSON.stringify(row) });
}

/** Of a package that git no longer has. */
export async function forgetPast(book: Book, name: string): Promise<void> {
  await book.remove('cursor', releaseKey(name));
  await book.remove('cursor', nothingNewKey(name));
}
