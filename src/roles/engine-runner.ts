import type { HostEngineContext } from '../build/host/context.ts';
import { runHostBuild } from '../build/host/engine.ts';
import type { MelangeEngineContext } from '../build/melange/context.ts';
import { runMelangeBuild } from '../build/melange/engine.ts';
import type { BuilderContext } from './builder.ts';

/** Has each build made by the engine that it is planned for. */
export function runWithEngine(host: HostEngineContext, melange: MelangeEngineContext): BuilderContext['run'] {
  return (request, names, signal) =>
    request.engine === 'melange'
      ? runMelangeBuild(melange, request, names, signal)
      : runHostBuild(host, request, names, signal);
}
