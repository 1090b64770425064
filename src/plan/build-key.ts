import type { BuildRequest } from '../model/build.ts';
import { digestOf } from '../model/canonical.ts';
import type { ResolvedRecipe } from '../model/recipe/resolved.ts';

/**
 * What makes two builds the same build: the recipe with everything put in, the files beside it, the target, the engine and
 * the packages of the environment by checksum. Not: where those packages lie, the recipe's comments, the commit, the time.
 */
export function buildKey(request: BuildRequest, resolved: ResolvedRecipe): string {
  const pinned = (packages: BuildRequest['environment']['packages']) =>
    packages.map(({ name, version, checksum }) => ({ name, version, checksum }));
  const environmentOf = (environment: BuildRequest['environment']) => ({
    host: environment.host,
    packages: pinned(environment.packages),
  });
  return digestOf({
    schema: request.schema,
    resolved,
    files: request.files,
    target: request.target,
    engine: request.engine,
    engineVersion: request.engineVersion,
    melange: request.melange,
    environment: environmentOf(request.environment),
    testEnvironments: Object.fromEntries(
      Object.entries(request.testEnvironments).map(([name, environment]) => [name, environmentOf(environment)]),
    ),
  });
}
