import semver from 'semver';

/**
 * What a go.mod retracts (go.dev/ref/mod#go-mod-file-retract): versions, and intervals with both ends. A line that cannot be read
 * retracts nothing.
 */
export function retractedBy(goMod: string): (version: string) => boolean {
  const ranges = retractions(goMod).flatMap((text) => {
    const [from, to] = text.replaceAll(/[[\]\s]/g, '').split(',');
    const [low, high] = [semver.parse(from), semver.parse(to ?? from)];
    return low === null || high === null ? [] : [{ low, high }];
  });
  return (version) => {
    const parsed = semver.parse(version);
    return parsed !== null && ranges.some(({ low, high }) => parsed.compare(low) >= 0 && parsed.compare(high) <= 0);
  };
}

/** What follows `retract`, on its line or on each line of its block. */
function retractions(goMod: string): string[] {
  const found: string[] = [];
  let inBlock = false;
  for (const line of goMod.split('\n')) {
    const text = line.replace(/\/\/.*$/, '').trim();
    const [, rest] = /^retract\b\s*(.*)$/.exec(text) ?? [];
    if (rest === '(') inBlock = true;
    else if (rest !== undefined) found.push(rest);
    else if (text === ')') inBlock = false;
    else if (inBlock && text !== '') found.push(text);
  }
  return found;
}
