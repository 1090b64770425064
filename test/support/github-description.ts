import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { z } from 'zod';
import type { SeenRequest } from '../../src/demo/fakes/github/github.ts';
import { type JsonSchema, jsonSchemaProblems, jsonSchemaSchema } from './json-schema.ts';

const mediaSchema = z.object({ schema: jsonSchemaSchema.optional() });
const bodySchema = z.object({
  $ref: z.string().optional(),
  required: z.boolean().optional(),
  content: z.record(z.string(), mediaSchema).optional(),
});
const parameterSchema = z.object({
  $ref: z.string().optional(),
  name: z.string().optional(),
  in: z.string().optional(),
  required: z.boolean().optional(),
  schema: jsonSchemaSchema.optional(),
});
const operationSchema = z.object({
  operationId: z.string(),
  parameters: z.array(parameterSchema).default([]),
  requestBody: bodySchema.optional(),
  responses: z.record(z.string(), bodySchema),
});
const descriptionSchema = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
  components: z.object({
    schemas: z.record(z.string(), jsonSchemaSchema),
    responses: z.record(z.string(), bodySchema),
    parameters: z.record(z.string(), parameterSchema),
  }),
});

type Description = z.infer<typeof descriptionSchema>;
type Operation = z.infer<typeof operationSchema>;

let loaded: Description | undefined;

/** GitHub's published description of its REST API, as `@octokit/openapi` carries it. */
function description(): Description {
  if (loaded !== undefined) return loaded;
  const file = createRequire(import.meta.url).resolve('@octokit/openapi/generated/api.github.com.json');
  loaded = descriptionSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  return loaded;
}

/** The operation that a request is for: the path template with the most literal parts that fits. */
function findOperation(method: string, path: string): Operation | undefined {
  const parts = path.split('/');
  const fitting = Object.entries(description().paths).filter(([template]) => {
    const wanted = template.split('/');
    return (
      wanted.length === parts.length &&
      wanted.every((part, index) => (part.startsWith('{') && parts[index] !== '') || part === parts[index])
    );
  });
  // `git/ref/{ref}` and `contents/{path}` take slashes in their last part.
  const last = Object.entries(description().paths).filter(([template]) => {
    const wanted = template.split('/');
    const end = wanted.at(-1) ?? '';
    return (
      ['{ref}', '{path}'].includes(end) &&
      wanted.length < parts.length &&
      wanted.slice(0, -1).every((part, index) => part.startsWith('{') || part === parts[index])
    );
  });
  const literal = ([template]: readonly [string, unknown]) =>
    template.split('/').filter((part) => !part.startsWith('{')).length;
  for (const [, operations] of [...fitting, ...last].sort((a, b) => literal(b) - literal(a))) {
    const operation = operations[method.toLowerCase()];
    if (operation !== undefined) return operationSchema.parse(operation);
  }
  return undefined;
}

function named<T extends { $ref?: string | undefined }>(value: T, group: Readonly<Record<string, T>>): T {
  return value.$ref === undefined ? value : (group[value.$ref.split('/').at(-1) ?? ''] ?? value);
}

function jsonSchemaOf(body: z.infer<typeof bodySchema> | undefined): JsonSchema | undefined {
  return body?.content?.['application/json']?.schema;
}

/**
 * Everything in which an exchange differs from GitHub's description: an operation that does not exist, a query or body
 * that is not allowed, an answer that GitHub would not give. Empty when all is well.
 */
export function exchangeProblems(exchange: SeenRequest): readonly string[] {
  const path = exchange.path.replace(/^\/api\/v3/, '');
  const { components } = description();
  const operation = findOperation(exchange.method, path);
  const label = `${exchange.method} ${path} ${exchange.status}`;
  if (operation === undefined) return [`${label}: GitHub has no such operation`];
  const problems: string[] = [];
  const say = (what: string, schema: JsonSchema | undefined, value: unknown) => {
    if (schema === undefined) return;
    problems.push(...jsonSchemaProblems(schema, value, components.schemas).map((text) => `${label}: ${what}${text}`));
  };
  const parameters = operation.parameters.map((parameter) => named(parameter, components.parameters));
  for (const [name, value] of new URLSearchParams(exchange.query)) {
    const parameter = parameters.find((parameter) => parameter.in === 'query' && parameter.name === name);
    if (parameter === undefined) problems.push(`${label}: there is no query parameter ${name}`);
    else say(`query ${name}`, parameter.schema, coerce(parameter.schema, value));
  }
  // A request that the server could not read is allowed to be wrong: that is what the refusal says.
  if (![400, 422].includes(exchange.status))
    say('request', jsonSchemaOf(operation.requestBody), exchange.body ?? undefined);
  const answer = operation.responses[String(exchange.status)];
  if (answer === undefined) {
    // A conditional request may be answered 304 wherever it is sent (RFC 9110 section 15.4.5).
    const conditional = exchange.status === 304 && exchange.headers['if-none-match'] !== undefined;
    if (exchange.status < 400 && !conditional) problems.push(`${label}: this status is not described`);
  } else {
    const schema = jsonSchemaOf(named(answer, components.responses));
    if (exchange.status !== 304) say('answer', schema, exchange.answer);
  }
  return problems;
}

function coerce(schema: JsonSchema | undefined, value: string): unknown {
  if (schema?.type === 'integer') return Number(value);
  if (schema?.type === 'boolean') return value === 'true';
  return value;
}
