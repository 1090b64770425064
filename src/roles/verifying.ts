import { RegrowError } from '../errors.ts';
import type { Artifact } from '../model/artifact.ts';
import type { BuildResult } from '../model/build.ts';
import type { VerifyRequest } from '../model/request.ts';
import type { TargetName } from '../model/target.ts';
import type { Verdict } from '../model/verdict.ts';
import { type ObjectReader, stagingKey } from '../ports/objects.ts';
import { readCurrent, readPackages } from '../publish/manifest.ts';
import { packageFileName } from '../report/repository.ts';
import { type SecondBuild, verifyBuild } from '../verify/verify.ts';
import { buildEffect, readResult } from './effects.ts';

type JudgedBuild = VerifyRequest['builds'][number];

/**
 * Judges the builds of a request, each with the others of its target beside it. What is published is read once for each
 * target. `at`: ISO 8601.
 */
export async function judgeBuilds(objects: ObjectReader, request: VerifyRequest, at: string): Promise<Verdict[]> {
  const results = new Map<string, BuildResult>();
  const all = [...request.builds, ...(request.beside ?? [])];
  for (const build of all) results.set(build.buildKey, await readBuild(objects, build));
  const published = new Map<TargetName, readonly Artifact[]>();
  for (const target of new Set(request.builds.map((build) => build.target))) {
    published.set(target, await readPublished(objects, target));
  }
  const verdicts: Verdict[] = [];
  for (const build of request.builds) {
    const result = results.get(build.buildKey);
    if (result === undefined) continue;
    const second = await readSecond(objects, build);
    const others = all.filter((other) => other.target === build.target && other.buildKey !== build.buildKey);
    verdicts.push(
      verifyBuild({
        ...build,
        result,
        files: await readFiles(objects, build.buildKey, result),
        published: published.get(build.target) ?? [],
        together: others.flatMap((other) => results.get(other.buildKey)?.artifacts ?? []),
        findings: request.findings,
        ...(second === undefined ? {} : { second }),
        at,
      }),
    );
  }
  return verdicts;
}

/** The build that it is to be compared with, where there is one. */
async function readSecond(objects: ObjectReader, build: JudgedBuild): Promise<SecondBuild | undefined> {
  if (build.rebuild === undefined) return undefined;
  const { buildKey, attempt, difference } = build.rebuild;
  const result = await readBuild(objects, { ...build, buildKey, attempt });
  return { result, files: await readFiles(objects, buildKey, result), difference };
}

async function readBuild(objects: ObjectReader, build: JudgedBuild): Promise<BuildResult> {
  const result = await readResult(objects, buildEffect(build), 'built');
  if (result !== undefined) return result.build;
  throw new RegrowError('internal', `the result of the build of ${build.package} ${build.version} is gone`, {
    package: build.package,
    retry: 'later',
    remedy: 'nothing to do: the next reconcile builds it again',
  });
}

async function readFiles(
  objects: ObjectReader,
  buildKey: string,
  result: BuildResult,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const artifact of result.artifacts) {
    const name = packageFileName(artifact);
    const object = await objects.get(stagingKey(buildKey, name));
    if (object !== undefined) files.set(name, object.bytes);
  }
  return files;
}

async function readPublished(objects: ObjectReader, target: TargetName): Promise<readonly Artifact[]> {
  const current = await readCurrent(objects);
  return current === undefined ? [] : readPackages(objects, current.generation, target);
}
