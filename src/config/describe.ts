import { z } from 'zod';
import { configSchema } from './schema.ts';

/** The part of a JSON schema that is walked here. */
interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly additionalProperties?: SchemaNode | boolean;
}

/** One option: `watch.interval`; `advisories[].name` of each entry of a list. */
export interface ConfigOption {
  readonly key: string;
  readonly description: string;
  /** As YAML would have it; undefined where there is none. */
  readonly default: string | undefined;
  readonly type: string;
}

/** The JSON schema of a configuration file: what editors check it with. */
export function configJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' });
  return { $schema, title: 'Configuration of regrow', ...rest };
}

/** The text of config/schema.json. */
export function configSchemaText(): string {
  return `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`;
}

function typeOf(node: SchemaNode): string {
  if (node.enum !== undefined) return node.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (node.type === 'array')
    return `list of ${node.items?.type === 'object' || node.items?.anyOf !== undefined ? 'entries' : 'texts'}`;
  if (node.type === 'object') return 'by name';
  if (node.type === 'integer') return 'whole number';
  if (node.type === 'boolean') return '`true`, `false`';
  return node.type === 'number' ? 'number' : 'text';
}

function optionsOf(node: SchemaNode, key: string): ConfigOption[] {
  const below = Object.entries(node.properties ?? {}).flatMap(([name, inner]) =>
    optionsOf(inner, key === '' ? name : `${key}.${name}`),
  );
  if (node.properties !== undefined) return below;
  const value = node.default === undefined ? undefined : JSON.stringify(node.default);
  const option = { key, description: node.description ?? '', default: value, type: typeOf(node) };
  const entries = node.items?.properties === undefined ? [] : optionsOf(node.items, `${key}[]`);
  return [option, ...entries];
}

/** Every option, in the schema's order. */
export function configOptions(): readonly ConfigOption[] {
  return optionsOf(configJsonSchema(), '');
}

/** The names that may stand below a key; empty where it holds no names of ours. */
export function allowedBelow(path: readonly PropertyKey[]): readonly string[] {
  let node: SchemaNode | undefined = configJsonSchema();
  for (const part of path) node = typeof part === 'number' ? node?.items : node?.properties?.[String(part)];
  return Object.keys(node?.properties ?? {});
}

/** The table of docs/configuration.md. */
export function optionsTable(): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const rows = configOptions().map((option) => {
    const value = option.default === undefined ? '' : `\`${option.default}\``;
    return `| \`${option.key}\` | ${cell(option.description)} | ${cell(option.type)} | ${cell(value)} |`;
  });
  return ['| option | what | value | default |', '|---|---|---|---|', ...rows, ''].join('\n');
}
