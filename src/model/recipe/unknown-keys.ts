import type { z } from 'zod';

/** Gives `report` the path of every key of `value` that the schema's objects do not name. `value` is what went into the schema. */
export function findUnknownKeys(
  schema: z.core.$ZodType,
  value: unknown,
  report: (path: readonly PropertyKey[]) => void,
  path: PropertyKey[] = [],
): void {
  if (typeof value !== 'object' || value === null) return;
  const { def } = unwrap(schema as z.core.$ZodTypes)._zod;
  const visit = (inner: z.core.$ZodType, key: PropertyKey, child: unknown) => {
    path.push(key);
    findUnknownKeys(inner, child, report, path);
    path.pop();
  };
  if (def.type === 'array') {
    if (Array.isArray(value)) value.forEach((item, index) => visit(def.element, index, item));
    return;
  }
  if (def.type === 'object') {
    for (const [key, child] of Object.entries(value)) {
      const inner = Object.hasOwn(def.shape, key) ? def.shape[key] : undefined;
      if (inner === undefined) report([...path, key]);
      else visit(inner, key, child);
    }
  } else if (def.type === 'record' && unwrap(def.valueType as z.core.$ZodTypes)._zod.def.type === 'object') {
    for (const [key, child] of Object.entries(value)) visit(def.valueType, key, child);
  }
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
