import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createExec } from '../../src/adapters/exec.ts';
import { readPipelineDirectory } from '../../src/adapters/pipeline-directory.ts';
import { createStepWatch } from '../../src/adapters/step-watch.ts';
import { createHostTools } from '../../src/build/host/host-tools.ts';
import type { MelangeEngineContext } from '../../src/build/melange/context.ts';
import { melangeEngineVersion, runMelangeBuild } from '../../src/build/melange/engine.ts';
import type { BuildRequest, BuildResult, LockedPackage, MelangeProgram } from '../../src/model/build.ts';
import { digestOf } from '../../src/model/canonical.ts';
import { createPipelineLibrary } from '../../src/model/recipe/pipeline.ts';
import { parseRecipe } from '../../src/model/recipe/recipe.ts';
import { resolveRecipe } from '../../src/model/recipe/resolve.ts';
import { parseTarget, type TargetName } from '../../src/model/target.ts';
import { createEngineFixture, type EngineFixture, hostArch } from './host-engine.ts';

/** What `scripts/setup --engines` builds. */
export const melangeVersion = 'v0.59.1';
export const melangeProgram: MelangeProgram = { version: melangeVersion, runner: 'bubblewrap', network: false };

export const bootstrapTarget: TargetName = `${hostArch}-gnu`;

/** What `regrow init --bootstrap` adds, and what the tests build on it. */
const folders = ['../../config/bootstrap/', '../fixtures/bootstrap/'].map((path) => new URL(path, import.meta.url));

/** A recipe of the bootstrap distribution. */
export function bootstrapRecipe(name: string): string {
  return bootstrapFile(`${name}.yaml`).toString('utf8');
}

/** In the order in which they can be built. */
const bootstrapNames = ['baselayout', 'host-libc', 'shell', 'busybox', 'build-base'] as const;

/** What the host engine takes from the machine for them. */
export const bootstrapTools = {
  'busybox-static': ['busybox'],
  toolchain: ['cc', 'gcc', 'ld', 'ar', 'make', 'patch', 'git', 'pkg-config', 'tar', 'gzip', 'install', 'ldd', 'find'],
};

/** A file of the bootstrap distribution. */
export function bootstrapFile(path: string): Buffer {
  const file = folders.map((folder) => new URL(path, folder)).find((url) => existsSync(url));
  if (file === undefined) throw new Error(`there is no file ${path} in the bootstrap distribution`);
  return readFileSync(file);
}

/** Files beside a recipe, as a build request has them. */
export function bootstrapFilesOf(name: string): Record<string, string> {
  const paths: Readonly<Record<string, string>> = { 'build-base': 'build-base/scanelf', hello: 'hello/greeting.txt' };
  const path = paths[name];
  return path === undefined ? {} : { [path]: bootstrapFile(path).toString('base64') };
}

export interface MelangeFixture extends EngineFixture {
  readonly melange: MelangeEngineContext;
  /** The packages that melange's build environments are made of. */
  readonly bootstrap: readonly LockedPackage[];
  melangeRequest(recipe: string, more?: Partial<BuildRequest>): BuildRequest;
  /** `label` makes it another build of the same request. */
  melangeBuild(request: BuildRequest, signal?: AbortSignal, label?: string): Promise<BuildResult>;
  /** Resolves when a build that runs has this line in its log. */
  said(line: string): Promise<void>;
  /** The same request for the host engine, which takes nothing from the machine but its loader. */
  hostRequest(request: BuildRequest): BuildRequest;
}

/** Both engines with real adapters, and the bootstrap distribution, built by the host engine. `program`: path of melange. */
export async function createMelangeFixture(program: string): Promise<MelangeFixture> {
  const fixture = await createEngineFixture({ outputLimit: 4_000_000 });
  const { context } = fixture;
  Object.assign(context, {
    hostTools: createHostTools(bootstrapTools),
  });
  const shippedPipelines = await readPipelineDirectory();
  const pipelines = {
    ...Object.fromEntries(shippedPipelines),
    'bootstrap/script': bootstrapFile('pipelines/bootstrap/script.yaml').toString('utf8'),
  };
  let live = '';
  const melange: MelangeEngineContext = {
    workspaces: context.workspaces,
    exec: createExec(),
    sources: context.sources,
    git: context.git,
    objects: context.objects,
    clock: context.clock,
    arches: [hostArch],
    program: () => Promise.resolve(program),
    bubblewrap: () => Promise.resolve('/usr/bin/bwrap'),
    isRoot: process.getuid?.() === 0,
    environment: {},
    limits: { timeout: 120_000, outputLimit: 4_000_000, processLimit: 200 },
    stepWatch: createStepWatch(),
    shippedPipelines,
    namespace: 'box',
    builder: 'test',
    liveLog: {
      add: (_key, text) => {
        live += text;
      },
      end: () => Promise.resolve(),
    },
  };

  const bootstrap: LockedPackage[] = [];
  for (const name of bootstrapNames) {
    // The compiler is copied from the machine, with nothing of ours in between.
    const packages = name === 'build-base' ? [] : [...bootstrap];
    const environment = { host: ['bash', 'build-base', 'busybox-static', 'coreutils', 'toolchain'], packages };
    const request = fixture.request(bootstrapRecipe(name), bootstrapTarget, {
      pipelines,
      files: bootstrapFilesOf(name),
      environment,
      testEnvironments: { [name]: environment },
    });
    const result = await fixture.build(request);
    if (result.outcome !== 'passed') throw new Error(`${name} does not build:\n${await fixture.log(result)}`);
    bootstrap.push(...fixture.lock(result));
  }

  return {
    ...fixture,
    melange,
    bootstrap,
    melangeRequest(recipe, more = {}) {
      const environment = { host: [], packages: [...bootstrap] };
      const request = fixture.request(recipe, bootstrapTarget, {
        engine: 'melange',
        engineVersion: melangeEngineVersion,
        melange: melangeProgram,
        pipelines,
        environment,
        ...more,
      });
      const { recipe: parsed } = parseRecipe(request.recipe.path, recipe);
      const library = createPipelineLibrary(new Map(Object.entries(pipelines)));
      const { packages } = resolveRecipe(parsed, { target: parseTarget(request.target), pipelines: library });
      const tested = packages.filter((one) => one.test !== undefined);
      return { ...request, testEnvironments: Object.fromEntries(tested.map(({ name }) => [name, environment])) };
    },
    melangeBuild(request, signal = new AbortController().signal, label = '') {
      const digest = digestOf(request);
      return runMelangeBuild(melange, request, { buildKey: `${digest}${label}`, request: digest }, signal);
    },
    async said(line) {
      while (!live.includes(`${line}\n`)) await sleep(50);
    },
    hostRequest(request) {
      const { engine, engineVersion } = fixture.request(request.recipe.text, request.target);
      return { ...request, engine, engineVersion, melange: undefined };
    },
  };
}
