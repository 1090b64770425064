import { XMLParser } from 'fast-xml-parser';
import { z } from 'zod';

const text = z.string().catch('');
const dependencySchema = z.object({ groupId: text, artifactId: text, version: z.string().optional().catch('') });
const dependenciesSchema = z
  .object({ dependency: z.array(z.unknown()) })
  .catch({ dependency: [] })
  .transform(({ dependency }) => dependency.flatMap((one) => dependencySchema.safeParse(one).data ?? []));
const pomSchema = z.object({
  project: z.object({
    version: text,
    parent: z.object({ version: text }).catch({ version: '' }),
    properties: z.record(z.string(), text).catch({}),
    dependencies: dependenciesSchema,
    dependencyManagement: z.object({ dependencies: dependenciesSchema }).catch({ dependencies: [] }),
  }),
});

/**
 * Versions that a `pom.xml` itself gives to each `group:artifact`, in its dependencies and in those that it manages: none where
 * that is left to a parent, the empty text where a property of a parent says it. Undefined where it is no pom.
 * Profiles are not looked at: who builds decides about them.
 */
export function readPom(xml: string): ReadonlyMap<string, readonly string[]> | undefined {
  const parser = new XMLParser({
    parseTagValue: false,
    // Entities are none of ours: a document type could make them as large as it likes.
    processEntities: false,
    isArray: (_name, path) => String(path).endsWith('.dependencies.dependency'),
  });
  let project: z.infer<typeof pomSchema>['project'];
  try {
    ({ project } = pomSchema.parse(parser.parse(xml)));
  } catch {
    return undefined;
  }
  const own = project.version === '' ? project.parent.version : project.version;
  const values = new Map([...Object.entries(project.properties), ['project.version', own]]);
  const versions = new Map<string, string[]>();
  for (const { groupId, artifactId, version } of [
    ...project.dependencyManagement.dependencies,
    ...project.dependencies,
  ]) {
    const key = `${groupId}:${artifactId}`;
    // One without a version takes what the same pom manages.
    const known = versions.get(key) ?? [];
    versions.set(key, version === undefined ? known : [...known, resolveProperty(version, values)]);
  }
  return versions;
}

/** A property that this pom gives, also through others; what it does not give is left to a parent. */
function resolveProperty(written: string, values: ReadonlyMap<string, string>, depth = 0): string {
  if (depth > 16) return '';
  let isKnown = true;
  const value = written.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
    const found = values.get(name.trim());
    isKnown &&= found !== undefined;
    return found ?? '';
  });
  // Values that grow with every step are nobody's version.
  if (!isKnown || value.length > 200) return '';
  return value.includes('${') ? resolveProperty(value, values, depth + 1) : value;
}

/** Qualifiers that all say "released", and no more. */
const released = new Set(['', 'final', 'ga', 'release']);

/**
 * Order of two Maven versions, of those alone that leave no doubt: numbers with the same qualifier, or with one that says
 * "released" (maven.apache.org/pom.html, "Version Order Specification"). Undefined for all others.
 */
export function compareMavenVersions(a: string, b: string): -1 | 0 | 1 | undefined {
  const [one, other] = [split(a), split(b)];
  if (one === undefined || other === undefined) return undefined;
  if (one.qualifier !== other.qualifier && !(released.has(one.qualifier) && released.has(other.qualifier))) {
    return undefined;
  }
  for (let i = 0; i < Math.max(one.numbers.length, other.numbers.length); i += 1) {
    const [x, y] = [one.numbers[i] ?? 0n, other.numbers[i] ?? 0n];
    if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}

function split(version: string): { readonly numbers: readonly bigint[]; readonly qualifier: string } | undefined {
  const [, numbers, qualifier = ''] = /^(\d+(?:\.\d+)*)(?:[.-]([A-Za-z]+))?$/.exec(version) ?? [];
  return numbers === undefined
    ? undefined
    : { numbers: numbers.split('.').map(BigInt), qualifier: qualifier.toLowerCase() };
}
