import { splitMembers } from './gzip.ts';
import { readSignatures, type Signature } from './signature.ts';
import { readArchive } from './tar.ts';

/** Fields of one entry by their letter. */
export type IndexFields = ReadonlyMap<string, string>;

export interface IndexFile {
  readonly signatures: readonly Signature[];
  readonly description: string;
  readonly entries: readonly IndexFields[];
}

/** Order of melange's writer; `r:`, `q:` and `i:` are never there. */
const fieldOrder = 'CPVASITULotcDpk';
const always = 'CPVASITt';

function readEntry(text: string): IndexFields {
  const fields = new Map<string, string>();
  let last = -1;
  for (const line of text.split('\n')) {
    const [, letter = '', value = ''] = /^([A-Za-z]):(.*)$/.exec(line) ?? [];
    const place = letter === '' ? -1 : fieldOrder.indexOf(letter);
    if (place <= last) throw new Error(`the index has ${JSON.stringify(line)} where it cannot be`);
    fields.set(letter, value);
    last = place;
  }
  for (const letter of always)
    if (!fields.has(letter)) throw new Error(`an entry of the index has no ${letter}: ${text}`);
  if (!/^Q1[A-Za-z0-9+/]{27}=$/.test(fields.get('C') ?? '')) throw new Error(`${fields.get('C')} is no checksum`);
  return fields;
}

/** Reads a signed `APKINDEX.tar.gz`: the signatures, then one closed tar with the index and its description. Throws what is wrong. */
export function readIndexFile(file: Buffer): IndexFile {
  const members = splitMembers(file);
  const [signature, index] = members;
  if (signature === undefined || index === undefined || members.length !== 2)
    throw new Error(`an index has two gzip members, this has ${members.length}`);
  const { entries, endBlocks } = readArchive(index.content);
  if (endBlocks !== 2) throw new Error(`the index has ${endBlocks} zero blocks at its end, not 2`);
  const files = entries.map(({ path, flag, mode, mtime }) => [path, flag, mode.toString(8), mtime].join(' '));
  if (files.join() !== 'APKINDEX 0 644 0,DESCRIPTION 0 644 0') throw new Error(`the index holds ${files.join(', ')}`);
  const [list, description] = entries.map(({ content }) => content.toString('utf8'));
  const paragraphs = (list ?? '').split('\n\n');
  if (paragraphs.pop() !== '') throw new Error('the index does not end with an empty line');
  return {
    signatures: readSignatures(signature.content, index.compressed),
    description: description ?? '',
    entries: paragraphs.map(readEntry),
  };
}
