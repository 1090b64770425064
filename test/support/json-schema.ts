import { z } from 'zod';

/** The part of JSON Schema, in OpenAPI 3.0's dialect, that descriptions of REST interfaces use. */
export interface JsonSchema {
  readonly $ref?: string | undefined;
  readonly type?: string | undefined;
  readonly nullable?: boolean | undefined;
  readonly enum?: readonly unknown[] | undefined;
  readonly required?: readonly string[] | undefined;
  readonly properties?: Readonly<Record<string, JsonSchema>> | undefined;
  readonly additionalProperties?: boolean | JsonSchema | undefined;
  readonly items?: JsonSchema | undefined;
  readonly minItems?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly minLength?: number | undefined;
  readonly oneOf?: readonly JsonSchema[] | undefined;
  readonly anyOf?: readonly JsonSchema[] | undefined;
  readonly allOf?: readonly JsonSchema[] | undefined;
}

/** Only that it is an object is checked: the description is large, and each schema is looked at where it is used. */
export const jsonSchemaSchema = z.custom<JsonSchema>((value) => typeof value === 'object' && value !== null);

type Definitions = Readonly<Record<string, JsonSchema>>;

function typeFits(type: string, value: unknown): boolean {
  switch (type) {
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return typeof value === 'number';
    default:
      return typeof value === type;
  }
}

/**
 * What is wrong with a value, each with its path; empty when nothing is. `format`, `pattern` and `example` are not looked
 * at; `oneOf` asks for at least one, because GitHub's own alternatives overlap.
 */
export function jsonSchemaProblems(schema: JsonSchema, value: unknown, definitions: Definitions, path = ''): string[] {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1) ?? '';
    const target = definitions[name];
    return target === undefined ? [`${path}: no schema ${name}`] : jsonSchemaProblems(target, value, definitions, path);
  }
  if (value === null && (schema.nullable === true || mayBeNull(schema, definitions))) return [];
  if (schema.type !== undefined && !typeFits(schema.type, value)) {
    return [`${path}: is ${value === null ? 'null' : typeof value}, not ${schema.type}`];
  }
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    return [`${path}: ${JSON.stringify(value)} is none of ${schema.enum.join(', ')}`];
  }
  return [
    ...(schema.allOf ?? []).flatMap((part) => jsonSchemaProblems(part, value, definitions, path)),
    ...alternativeProblems(schema.oneOf ?? schema.anyOf, value, definitions, path),
    ...objectProblems(schema, value, definitions, path),
    ...arrayProblems(schema, value, definitions, path),
    ...textProblems(schema, value, path),
  ];
}

function mayBeNull(schema: JsonSchema, definitions: Definitions): boolean {
  const parts = schema.oneOf ?? schema.anyOf ?? schema.allOf ?? [];
  return parts.some((part) => jsonSchemaProblems(part, null, definitions).length === 0);
}

function alternativeProblems(
  alternatives: readonly JsonSchema[] | undefined,
  value: unknown,
  definitions: Definitions,
  path: string,
): string[] {
  if (alternatives === undefined) return [];
  const problems = alternatives.map((part) => jsonSchemaProblems(part, value, definitions, path));
  if (problems.some((list) => list.length === 0)) return [];
  return [
    `${path}: fits none of ${alternatives.length} alternatives, e.g. ${problems.map((list) => list[0]).join(' / ')}`,
  ];
}

function objectProblems(schema: JsonSchema, value: unknown, definitions: Definitions, path: string): string[] {
  if (!typeFits('object', value)) return [];
  const fields = new Map(Object.entries(value as Record<string, unknown>));
  const missing = (schema.required ?? []).filter((name) => fields.get(name) === undefined);
  const extra = schema.additionalProperties;
  const wrong = [...fields].flatMap(([name, field]) => {
    const known = schema.properties?.[name];
    if (field === undefined) return [];
    if (known !== undefined) return jsonSchemaProblems(known, field, definitions, `${path}.${name}`);
    if (extra === false) return [`${path}.${name}: is not allowed`];
    return typeof extra === 'object' ? jsonSchemaProblems(extra, field, definitions, `${path}.${name}`) : [];
  });
  return [...missing.map((name) => `${path}.${name}: is missing`), ...wrong];
}

function arrayProblems(schema: JsonSchema, value: unknown, definitions: Definitions, path: string): string[] {
  if (!Array.isArray(value)) return [];
  const { items } = schema;
  const few = value.length < (schema.minItems ?? 0) ? [`${path}: has fewer than ${schema.minItems} items`] : [];
  const wrong =
    items === undefined
      ? []
      : value.flatMap((item, index) => jsonSchemaProblems(items, item, definitions, `${path}[${index}]`));
  return [...few, ...wrong];
}

function textProblems(schema: JsonSchema, value: unknown, path: string): string[] {
  if (typeof value !== 'string') return [];
  const long = value.length > (schema.maxLength ?? Number.POSITIVE_INFINITY);
  const short = value.length < (schema.minLength ?? 0);
  return long || short ? [`${path}: has a length of ${value.length}`] : [];
}
