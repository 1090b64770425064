import { z } from 'zod';
import type { Artifact } from '../model/artifact.ts';
import { type BuildRequest, type BuildResult, type BuildSource, melangeProgramSchema } from '../model/build.ts';
import { parseTarget } from '../model/target.ts';
import { apkPurl } from './purl.ts';

/** The payload type of an in-toto statement (in-toto attestation `spec/v1/envelope.md`). */
export const inTotoPayloadType = 'application/vnd.in-toto+json';

export const statementType = 'https://in-toto.io/Statement/v1';
const predicateType = 'https://slsa.dev/provenance/v1';
/** What the parameters below mean; the address leads to their description. */
const buildType = (engine: string) =>
  `https://github.com/regrow-dev/regrow/blob/main/docs/provenance.md#build-type-${engine}-v1`;

const digestSet = z.record(z.string(), z.string().regex(/^[0-9a-f]+$/));

/** in-toto `ResourceDescriptor`: at least one of name, address and digest is there. */
const resource = z
  .object({ name: z.string().optional(), uri: z.string().optional(), digest: digestSet.optional() })
  .refine(({ name, uri, digest }) => name !== undefined || uri !== undefined || digest !== undefined);

/** SLSA provenance v1 in an in-toto statement v1, as regrow writes it; readers leave out what they do not know. */
export const provenanceSchema = z.object({
  _type: z.literal(statementType),
  subject: z.array(z.object({ name: z.string(), digest: digestSet })).min(1),
  predicateType: z.literal(predicateType),
  predicate: z.object({
    buildDefinition: z.object({
      buildType: z.url(),
      externalParameters: z.object({
        /** Address of the repository of recipes, where it has one that others can reach. */
        repository: z.string().optional(),
        /** Path in that repository; the commit is that of the first resolved dependency. */
        recipe: z.string(),
        /** Of the recipe's packages the one that the subject is. */
        package: z.string(),
        target: z.string(),
      }),
      internalParameters: z.object({
        engineVersion: z.number().int(),
        /** The program that built, with the engine `melange`. */
        melange: melangeProgramSchema.optional(),
        buildKey: z.string(),
        /** sha256 of the build request: everything that the builder was given. */
        request: z.string(),
        sourceDateEpoch: z.number().int(),
        /** Packages of the recipe's environment that tools of the machine stood in for. */
        hostTools: z.array(z.string()),
      }),
      resolvedDependencies: z.array(resource),
    }),
    runDetails: z.object({
      builder: z.object({ id: z.string(), version: z.record(z.string(), z.string()) }),
      metadata: z.object({
        invocationId: z.string(),
        startedOn: z.iso.datetime().optional(),
        finishedOn: z.iso.datetime().optional(),
      }),
    }),
  }),
});

export type Provenance = z.infer<typeof provenanceSchema>;
type Resource = z.infer<typeof resource>;

export interface ProvenanceFacts {
  /** As it is published: signed. */
  readonly artifact: Artifact;
  readonly request: BuildRequest;
  readonly result: BuildResult;
  /** Address of the repository of recipes, where it has one that others can reach. */
  readonly repository: string | undefined;
  /** For the purls of packages: who distributes them. */
  readonly distribution: { readonly namespace: string; readonly name: string };
  /** Address of who builds: whom the signer answers for. */
  readonly builderId: string;
}

function sourceResource(source: BuildSource): Resource {
  if (source.kind === 'git') {
    const { repository, tag, commit } = source;
    return { uri: `git+${repository}${tag === undefined ? '' : `@refs/tags/${tag}`}`, digest: { gitCommit: commit } };
  }
  const { url, sha256, sha512 } = source;
  const digest = { ...(sha256 === undefined ? {} : { sha256 }), ...(sha512 === undefined ? {} : { sha512 }) };
  return { uri: url, digest };
}

/** The recipe first, then the sources that were fetched, then every package of the build environment. */
function resolvedDependencies(facts: ProvenanceFacts): Resource[] {
  const { request, result, repository, distribution } = facts;
  const { commit } = request.recorded;
  const { arch } = parseTarget(request.target);
  const address = repository === undefined ? {} : { uri: `git+${repository}@${commit}` };
  return [
    { name: request.recipe.path, ...address, digest: { gitCommit: commit } },
    ...(result.sources ?? []).map(sourceResource),
    ...request.environment.packages.map(({ name, version, digest }) => ({
      name: `${name}-${version}.apk`,
      uri: apkPurl({ name, version, arch, distribution }),
      digest: { sha256: digest },
    })),
  ];
}

/** When a build began and ended, where its builder said. */
function times({ startedAt, milliseconds }: BuildResult): { startedOn?: string; finishedOn?: string } {
  if (startedAt === undefined) return {};
  const finishedOn = new Date(Date.parse(startedAt) + Math.round(milliseconds)).toISOString();
  return { startedOn: startedAt, finishedOn };
}

function builderVersions({ engine, engineVersion, melange }: BuildRequest): Record<string, string> {
  return { engine: `${engine} ${engineVersion}`, ...(melange === undefined ? {} : { melange: melange.version }) };
}

/** Where a published package came from: what it is, what it was built from, who built it, when. Same facts, same value. */
export function writeProvenance(facts: ProvenanceFacts): Provenance {
  const { artifact, request, result, builderId, repository } = facts;
  const { info, digest } = artifact;
  return {
    _type: statementType,
    subject: [{ name: `${info.name}-${info.version}.apk`, digest: { sha256: digest } }],
    predicateType,
    predicate: {
      buildDefinition: {
        buildType: buildType(request.engine),
        externalParameters: {
          ...(repository === undefined ? {} : { repository }),
          recipe: request.recipe.path,
          package: info.name,
          target: request.target,
        },
        internalParameters: {
          engineVersion: request.engineVersion,
          ...(request.melange === undefined ? {} : { melange: request.melange }),
          buildKey: result.buildKey,
          request: result.request,
          sourceDateEpoch: request.recorded.sourceDateEpoch,
          hostTools: request.environment.host,
        },
        resolvedDependencies: resolvedDependencies(facts),
      },
      runDetails: {
        builder: { id: builderId, version: builderVersions(request) },
        metadata: { invocationId: result.buildKey, ...times(result) },
      },
    },
  };
}
