import { stoppedVersion } from '../../report/stopped.ts';
import type { ConductorContext } from './context.ts';
import { rememberRelease } from './past.ts';

/** Lets the version of a package that is stopped be proposed again, because a person said so. Says whether one was. */
export async function releaseVersion(
  { book, clock }: Pick<ConductorContext, 'book' | 'clock'>,
  name: string,
): Promise<boolean> {
  const proposals = [...book.all('proposal')].flatMap(({ value }) => (value.package === name ? [value] : []));
  const problems = [...book.all('problem')].flatMap(({ value }) => (value.name === name ? [value] : []));
  const version = stoppedVersion({ decision: book.get('decision', name)?.value, proposals, problems });
  if (version === undefined) return false;
  // The forge has a clock of its own: what it says has ended has ended.
  const ends = proposals.map(({ closedAt }) => Date.parse(closedAt ?? '')).filter((end) => !Number.isNaN(end));
  const at = new Date(Math.max(clock.now().getTime(), ...ends)).toISOString();
  await book.tell({
    id: `released/${name}/${version}/${at}`,
    kind: 'released',
    package: name,
    text: `${name} ${version} is released: it is proposed once more`,
    facts: { version },
  });
  await rememberRelease(book, name, { version, at });
  // What rested because it was refused is tried at once.
  await book.remove('cursor', `refused-remake/${name}`);
  return true;
}
