import type { Apk } from '../formats/apk.ts';
import type { Artifact } from '../model/artifact.ts';
import type { BuildResult } from '../model/build.ts';
import { digestOf } from '../model/canonical.ts';
import type { Finding } from '../model/finding.ts';
import type { VerifyRequest } from '../model/request.ts';
import type { TargetName } from '../model/target.ts';
import type { DifferencePolicy, GateResult } from '../model/verdict.ts';

/** Known vulnerabilities of the build's packages: in what is published, and in what would be. */
export interface FindingsChange {
  readonly before: readonly Finding[];
  readonly after: readonly Finding[];
}

/** What of the known vulnerabilities of a package a verdict depends on: two with the same stamp get the same one. */
export function findingsStamp({ before, after }: FindingsChange, origin: string): string {
  const idsOf = (findings: readonly Finding[]) =>
    [...new Set(findings.filter((one) => one.package === origin).map((one) => one.advisory))].toSorted();
  return digestOf({ before: idsOf(before), after: idsOf(after) }).slice(0, 16);
}

/** What a verdict is about: these very files. Others under the same build key, of another attempt or put there later, have another stamp. */
export function artifactsStamp(artifacts: readonly Artifact[]): string {
  return digestOf(artifacts.map(({ target, digest }) => `${target} ${digest}`).toSorted());
}

/** What came of building it once more, and what a difference comes to. */
export interface SecondBuild {
  readonly result: BuildResult;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly difference: DifferencePolicy;
}

/** What a build is judged by: bytes and values, nothing that has to be fetched. */
export interface VerifyInput {
  /** What the builder says. Whatever it says has to agree with what it was asked for, which is what follows. */
  readonly result: BuildResult;
  readonly buildKey: string;
  /** Origin and full version that the build was asked for. */
  readonly package: string;
  readonly version: string;
  readonly target: TargetName;
  /** The packages that the recipe makes for the target, and whether they have tests. */
  readonly makes: VerifyRequest['builds'][number]['makes'];
  /** Digest of the build request that the builder was given; absent: not compared. */
  readonly request?: string | undefined;
  /** `artifactsStamp` of what the builder left when it was recorded; absent: not compared. */
  readonly artifacts?: string | undefined;
  /** The files that the builder left, by their name in staging, `NAME-VERSION.apk`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** What is published for this target now. */
  readonly published: readonly Artifact[];
  /** Artifacts of this target that appear together with these: the other builds of the same proposal. */
  readonly together: readonly Artifact[];
  readonly findings: FindingsChange;
  /** Undefined where it was built once. */
  readonly second?: SecondBuild;
  /** ISO 8601. */
  readonly at: string;
}

/** An artifact of the result with its file, read once for all gates. */
export interface ReadPackage {
  readonly artifact: Artifact;
  readonly file: string;
  /** Undefined when the file is not there. */
  readonly bytes: Uint8Array | undefined;
  /** The package, or what is wrong with the file. */
  readonly apk: Apk | undefined;
  readonly problem: string;
}

export interface GateSubject extends VerifyInput {
  readonly packages: readonly ReadPackage[];
}

/** One question about a build. Pure: the same subject gives the same answer, and it never throws for what a package holds. */
export interface Gate {
  readonly name: string;
  check(subject: GateSubject): Omit<GateResult, 'gate'>;
}

export type GateAnswer = ReturnType<Gate['check']>;

/** Passed when there are no problems; failed with all of them, up to a limit that keeps a message readable. */
export function answer(problems: readonly string[], passed: string): GateAnswer {
  if (problems.length === 0) return { outcome: 'passed', because: passed };
  const shown = problems.slice(0, 10).join('; ');
  const more = problems.length > 10 ? `; and ${problems.length - 10} more` : '';
  return { outcome: 'failed', because: `${shown}${more}` };
}

export function countOf(count: number, one: string, many: string = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
