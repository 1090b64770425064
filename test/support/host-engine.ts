import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createExec } from '../../src/adapters/exec.ts';
import { createGit } from '../../src/adapters/git.ts';
import { createFsObjects } from '../../src/adapters/objects/fs.ts';
import { readPipelineDirectory } from '../../src/adapters/pipeline-directory.ts';
import { createSandbox } from '../../src/adapters/sandbox.ts';
import { createSources } from '../../src/adapters/sources.ts';
import { createWorkspaces } from '../../src/adapters/workspace.ts';
import type { HostEngineContext } from '../../src/build/host/context.ts';
import { hostEngineVersion, runHostBuild } from '../../src/build/host/engine.ts';
import { createHostTools } from '../../src/build/host/host-tools.ts';
import type { BuildRequest, BuildResult, LockedPackage } from '../../src/model/build.ts';
import { digestOf } from '../../src/model/canonical.ts';
import { parseRecipe } from '../../src/model/recipe/recipe.ts';
import type { TargetName } from '../../src/model/target.ts';
import { type Objects, stagingKey } from '../../src/ports/objects.ts';
import { loopback } from './loopback-http.ts';

const arches = { x64: 'x86_64', arm64: 'aarch64' } as const;
/** The architecture of this machine. */
export const hostArch = process.arch === 'arm64' ? arches.arm64 : arches.x64;

/** What the recipes of the fixtures ask of the host, also by way of the pipelines that they use. */
export const hostPackages = ['binutils', 'build-base', 'busybox', 'make', 'patch', 'pkgconf', 'scanelf'];

export interface EngineFixture {
  readonly context: HostEngineContext;
  readonly objects: Objects;
  /** Where workspaces are made. */
  readonly workDirectory: string;
  /** What the host `upstream.example.org` serves, by path. */
  readonly served: Map<string, { readonly body: Buffer; readonly type?: string }>;
  readonly tallyCommit: string;
  readonly libtallySha256: string;
  request(recipe: string, target: TargetName, more?: Partial<BuildRequest>): BuildRequest;
  build(request: BuildRequest, signal?: AbortSignal): Promise<BuildResult>;
  log(result: BuildResult): Promise<string>;
  file(result: BuildResult, name: string): Promise<Uint8Array>;
  /** Packages of results, as a plan would lock them. */
  lock(...results: BuildResult[]): LockedPackage[];
  close(): void;
}

/** A host engine with real adapters in a folder of its own, and the upstreams of `test/fixtures/recipes` on loopback. */
export async function createEngineFixture(limits: Partial<HostEngineContext['limits']> = {}): Promise<EngineFixture> {
  const directory = mkdtempSync(join(tmpdir(), 'regrow-engine-'));
  const served: EngineFixture['served'] = new Map();
  const server = createServer((request, response) => {
    const answer = served.get(request.url ?? '');
    if (answer === undefined) return response.writeHead(404).end();
    return response.writeHead(200, { 'content-type': answer.type ?? 'application/octet-stream' }).end(answer.body);
  });
  const port = await listen(server);
  const archive = libtallyArchive(directory);
  served.set('/libtally-1.2.0.tar.gz', { body: archive });
  const repository = tallyRepository(directory);
  const pipelines = Object.fromEntries(await readPipelineDirectory());

  const exec = createExec();
  const objects = await createFsObjects(join(directory, 'objects'));
  const context: HostEngineContext = {
    workspaces: createWorkspaces({ directory: join(directory, 'work'), exec }),
    sandbox: createSandbox({ exec }),
    sources: createSources({
      directory: join(directory, 'sources'),
      allowPrivate: loopback,
      rewrite: [{ from: 'https://upstream.example.org/', to: `http://127.0.0.1:${port}/` }],
    }),
    git: createGit({
      exec,
      protocols: ['file'],
      rewrite: [{ from: 'https://git.example.org/tally', to: `file://${repository.path}` }],
    }),
    objects,
    clock: { now: () => new Date() },
    arch: hostArch,
    hostTools: createHostTools(),
    limits: { stepTimeout: 60_000, outputLimit: 1_000_000, processLimit: 400, ...limits },
    distribution: { namespace: 'box', name: 'Box' },
    builder: 'test',
  };

  return {
    context,
    objects,
    workDirectory: join(directory, 'work'),
    served,
    tallyCommit: repository.commit,
    libtallySha256: createHash('sha256').update(archive).digest('hex'),
    request(recipe, target, more = {}) {
      const { package: about } = parseRecipe('test.yaml', recipe).recipe;
      return {
        schema: 1,
        package: about.name,
        version: about.version,
        epoch: about.epoch,
        target,
        engine: 'host',
        engineVersion: hostEngineVersion,
        recipe: { path: `${about.name}.yaml`, text: recipe },
        pipelines,
        files: {},
        environment: { host: [...hostPackages], packages: [] },
        testEnvironments: {},
        recorded: { commit: 'a'.repeat(40), sourceDateEpoch: 1_700_000_000 },
        ...more,
      };
    },
    build(request, signal = new AbortController().signal) {
      const digest = digestOf(request);
      return runHostBuild(context, request, { buildKey: digest, request: digest }, signal);
    },
    async log(result) {
      return Buffer.from((await objects.get(result.log))?.bytes ?? []).toString('utf8');
    },
    async file(result, name) {
      const object = await objects.get(stagingKey(result.buildKey, name));
      if (object === undefined) throw new Error(`${name} was not left in staging`);
      return object.bytes;
    },
    lock(...results) {
      return results.flatMap((result) =>
        result.artifacts.map(({ info, checksum, digest }) => ({
          name: info.name,
          version: info.version,
          checksum,
          key: stagingKey(result.buildKey, `${info.name}-${info.version}.apk`),
          digest,
        })),
      );
    },
    close() {
      server.closeAllConnections();
      server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A recipe of `test/fixtures/recipes`, or the one that regrow ships, with the hashes of this fixture put in. */
export function fixtureRecipe(name: string, fixture: EngineFixture): string {
  const text = readFileSync(
    new URL(
      name === 'host-libc' ? `../../config/recipes/${name}.yaml` : `../fixtures/recipes/${name}.yaml`,
      import.meta.url,
    ),
    'utf8',
  );
  return text.replace('SHA256', fixture.libtallySha256).replace('COMMIT', fixture.tallyCommit);
}

/** A patch that lies beside the recipe of libtally. */
export const greetingPatch = `--- a/tally.c
+++ b/tally.c
@@ -1,2 +1,2 @@
 #include "tally.h"
-int tally(int n) { return n + 1; }
+int tally(int n) { return n + 2; }
`;

const libtally = {
  'tally.h': 'int tally(int n);\n',
  'tally.c': '#include "tally.h"\nint tally(int n) { return n + 1; }\n',
  'tally.3': '.TH tally 3\n',
  'tally.pc': 'Name: tally\nDescription: counts\nVersion: 1.2.0\nLibs: -ltally\nCflags: -I/usr/include\n',
  Makefile: `CFLAGS = -O2 -fPIC -g
all: libtally.so.$(MAJOR) libtally.a
libtally.so.$(MAJOR): tally.o
	$(CC) -shared -Wl,-soname,$@ -o $@ $<
libtally.a: tally.o
	$(AR) rcs $@ $<
install: all
	mkdir -p $(DESTDIR)/usr/lib/pkgconfig $(DESTDIR)/usr/include $(DESTDIR)/usr/share/man/man3
	cp libtally.so.$(MAJOR) libtally.a $(DESTDIR)/usr/lib/
	ln -s libtally.so.$(MAJOR) $(DESTDIR)/usr/lib/libtally.so
	cp tally.h $(DESTDIR)/usr/include/
	cp tally.pc $(DESTDIR)/usr/lib/pkgconfig/
	cp tally.3 $(DESTDIR)/usr/share/man/man3/
`,
};

function libtallyArchive(directory: string): Buffer {
  const tree = join(directory, 'libtally-1.2.0');
  mkdirSync(tree);
  for (const [name, text] of Object.entries(libtally)) writeFileSync(join(tree, name), text);
  const options = ['--sort=name', '--mtime=@1690000000', '--owner=0', '--group=0', '--numeric-owner'];
  return execFileSync('tar', [...options, '-czf', '-', 'libtally-1.2.0'], { cwd: directory });
}

function tallyRepository(directory: string): { readonly path: string; readonly commit: string } {
  const path = join(directory, 'tally.git');
  const env = {
    PATH: '/usr/bin:/bin',
    GIT_AUTHOR_DATE: '1690000000 +0000',
    GIT_COMMITTER_DATE: '1690000000 +0000',
  };
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', path, '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
      encoding: 'utf8',
      env,
    }).trim();
  execFileSync('git', ['init', '-q', '-b', 'main', path], { env });
  const program = `#include <stdio.h>
#include <stdlib.h>
#include <tally.h>
int main(int argc, char **argv) { printf("tally: %d\\n", tally(argc > 1 ? atoi(argv[1]) : 0)); return 0; }
`;
  writeFileSync(join(path, 'tally.c'), program);
  git('add', '.');
  git('commit', '-qm', 'tally 0.4.0');
  git('tag', 'v0.4.0');
  return { path, commit: git('rev-parse', 'HEAD') };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}
