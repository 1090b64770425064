import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml';
import { RegrowError } from '../../errors.ts';
import { readBlockYaml, type YamlValue } from './block-yaml.ts';

/**
 * Reads a YAML file with every scalar as text. Throws recipe.malformed, with file and line, for what is not one YAML
 * document without duplicate keys.
 */
export function readYaml(file: string, text: string): YamlValue {
  try {
    return readBlockYaml(text) ?? readFullYaml(file, text);
  } catch (thrown) {
    // Both readers go one call deeper for each level.
    if (!(thrown instanceof RangeError)) throw thrown;
    throw new RegrowError('recipe.malformed', `${file}: values inside of values, too deep to read`, {
      file,
      remedy: 'write the file with fewer levels',
      cause: thrown,
    });
  }
}

/** The same by way of the `yaml` package alone. */
export function readFullYaml(file: string, text: string): YamlValue {
  const { document, lines } = parse(text);
  const error = document.errors[0];
  if (error !== undefined) {
    const line = lines.linePos(error.pos[0]).line;
    throw new RegrowError('recipe.malformed', `${file}:${line}: not YAML: ${error.message}`, {
      file,
      line,
      remedy: 'correct the file where the message points',
      cause: error,
    });
  }
  return toValue(document.contents, { file, document, open: new Set(), nodes: 0 });
}

/** The line (from 1) of the node at `path`, or of the nearest one above it that exists. */
export function lineAt(text: string, path: readonly PropertyKey[]): number | undefined {
  const { document, lines } = parse(text);
  for (let length = path.length; length > 0; length--) {
    const parent = document.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1];
    const node: unknown = isMap(parent)
      ? parent.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === last)?.key
      : isSeq(parent) && typeof last === 'number'
        ? parent.items[last]
        : undefined;
    const start = isScalar(node) || isCollection(node) ? node.range?.[0] : undefined;
    if (start !== undefined) return lines.linePos(start).line;
  }
  return undefined;
}

function parse(text: string): { document: Document.Parsed; lines: LineCounter } {
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: 'failsafe', prettyErrors: false, lineCounter: lines });
  return { document, lines };
}

interface Conversion {
  readonly file: string;
  readonly document: Document;
  /** Collections that the node at hand is inside of. */
  readonly open: Set<Node>;
  nodes: number;
}

/** More nodes than any recipe has (the longest has some thousand). */
const nodeLimit = 200_000;

/** Aliases are followed, but not into themselves, and not for ever: a few lines of them can stand for gigabytes. */
function toValue(node: Node | null, conversion: Conversion): YamlValue {
  if (node === null) return null;
  const { file, document, open } = conversion;
  if (++conversion.nodes > nodeLimit || open.has(node)) {
    throw new RegrowError('recipe.malformed', `${file}: YAML aliases that refer to themselves, or to too much`, {
      file,
      remedy: 'write the values out',
    });
  }
  if (isAlias(node)) return toValue(node.resolve(document) ?? null, conversion);
  if (isScalar(node)) {
    const text = typeof node.value === 'string' ? node.value : (node.source ?? '');
    return node.type === 'PLAIN' && /^(?:|~|null|Null|NULL)$/.test(text) ? null : text;
  }
  open.add(node);
  const value = collectionValue(node, (child) => toValue(child, conversion));
  open.delete(node);
  return value;
}

function collectionValue(node: Node, convert: (child: Node | null) => YamlValue): YamlValue {
  if (isSeq<Node | null>(node)) return node.items.map(convert);
  const map: { [key: string]: YamlValue } = {};
  if (!isMap<Node, Node | null>(node)) return map;
  for (const { key, value } of node.items) {
    const name = convert(key);
    if (name === '<<') merge(map, convert(value));
    else define(map, typeof name === 'string' ? name : '', convert(value));
  }
  return map;
}

/** `<<: *other`: the keys of other maps, where the map has none of its own. */
function merge(map: { [key: string]: YamlValue }, others: YamlValue): void {
  for (const other of Array.isArray(others) ? others : [others]) {
    if (typeof other !== 'object' || other === null || Array.isArray(other)) continue;
    for (const [key, value] of Object.entries(other)) if (!Object.hasOwn(map, key)) define(map, key, value);
  }
}

/** Also for `__proto__`, which is a key like any other in YAML. */
function define(map: { [key: string]: YamlValue }, key: string, value: YamlValue): void {
  Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
}
