import type { BuildNames } from '../build/build-run.ts';
import type { HostEngineContext } from '../build/host/context.ts';
import { runHostBuild } from '../build/host/engine.ts';
import type { MelangeEngineContext } from '../build/melange/context.ts';
import { runMelangeBuild } from '../build/melange/engine.ts';
import type { BuildRequest, BuildResult } from '../model/build.ts';

/** Runs one build and leaves its packages and log in staging; a build that fails is a result, not an error. */
export type RunBuild = (request: BuildRequest, names: BuildNames, signal: AbortSignal) => Promise<BuildResult>;

/** Has each build made by the engine that it is planned for. */
export function runWithEngine(host: HostEngineContext, melange: MelangeEngineContext): RunBuild {
  return (request, names, signal) =>
    request.engine === 'melange'
      ? runMelangeBuild(melange, request, names, signal)
      : runHostBuild(host, request, names, signal);
}
