const payload = /"payload"\s*:\s*"([A-Za-z0-9+/_-]+=*)"/g;

/** Every sha256 that a text names, in hex: also in what an envelope (DSSE) in it says. A few more do no harm. */
export function digestsIn(text: string): ReadonlySet<string> {
  const found = new Set(Array.from(text.matchAll(/[0-9a-f]{64}/g), ([hex]) => hex));
  for (const [, encoded = ''] of text.matchAll(payload)) {
    const inner = Buffer.from(encoded, 'base64').toString('utf8');
    for (const [hex] of inner.matchAll(/[0-9a-f]{64}/g)) found.add(hex);
  }
  return found;
}

/** The packages of builds that a text names, `staging/BUILDKEY/NAME-VERSION.apk`. */
export function stagedKeysIn(text: string): readonly string[] {
  return Array.from(text.matchAll(/"(staging\/[^/"\\]+\/[^/"\\]+)"/g), ([, key = '']) => key);
}

export interface ListedDigests {
  /** The packages' files. */
  readonly files: ReadonlySet<string>;
  /** Where they came from. */
  readonly accounts: ReadonlySet<string>;
  /** Whatever else stands there. */
  readonly others: ReadonlySet<string>;
}

/** What a package list (JSON) names. In one pass: it has megabytes. */
export function listedDigests(text: string): ListedDigests {
  const files = new Set<string>();
  const accounts = new Set<string>();
  const others = new Set<string>();
  for (const [, field, hex = ''] of text.matchAll(/(?:"(\w+)"\s*:\s*")?([0-9a-f]{64})/g)) {
    if (field === 'digest') files.add(hex);
    else if (field === 'provenance') accounts.add(hex);
    else if (field !== 'datahash') others.add(hex);
  }
  for (const one of [...files, ...accounts]) others.delete(one);
  return { files, accounts, others };
}
