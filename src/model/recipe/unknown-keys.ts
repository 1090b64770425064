import type { z } from 'zod';

type Report = (path: readonly PropertyKey[]) => void;

/** Gives `report` the path of every key of `value` that the schema's objects do not name. `value` is what went into the schema. */
export function findUnknownKeys(schema: z.core.$ZodType, value: unknown, report: Report): void {
  walk(schema, value, report, []);
}

function walk(schema: z.core.$ZodType, value: unknown, report: Report, path: PropertyKey[]): void {
  if (typeof value !== 'object' || value === null) return;
  const { def } = unwrap(schema as z.core.$ZodTypes)._zod;
  if (def.type === 'array') {
    if (!Array.isArray(value)) return;
    for (const [index, item] of value.entries()) visit(def.element, index, item, report, path);
  } else if (def.type === 'object') {
    for (const [key, child] of Object.entries(value)) {
      const inner = Object.hasOwn(def.shape, key) ? def.shape[key] : undefined;
      if (inner === undefined) report([...path, key]);
      else visit(inner, key, child, report, path);
    }
  } else if (def.type === 'record') {
    for (const [key, child] of Object.entries(value)) visit(def.valueType, key, child, report, path);
  }
}

function visit(schema: z.core.$ZodType, key: PropertyKey, child: unknown, report: Report, path: PropertyKey[]): void {
  if (typeof child !== 'object' || child === null) return;
  path.push(key);
  walk(schema, child, report, path);
  path.pop();
}

const unwrapped = new WeakMap<z.core.$ZodTypes, z.core.$ZodTypes>();

/** The schema inside of `optional`, transforms and the like. */
function unwrap(schema: z.core.$ZodTypes): z.core.$ZodTypes {
  const known = unwrapped.get(schema);
  if (known !== undefined) return known;
  let inner = schema;
  for (;;) {
    const { def } = inner._zod;
    if (def.type === 'pipe') inner = def.in as z.core.$ZodTypes;
    else if (def.type === 'optional' || def.type === 'nullable') inner = def.innerType as z.core.$ZodTypes;
    else if (def.type === 'lazy') inner = def.getter() as z.core.$ZodTypes;
    else break;
  }
  unwrapped.set(schema, inner);
  return inner;
}
