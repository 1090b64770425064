import type { Arch } from '../../model/target.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Git } from '../../ports/git.ts';
import type { Objects } from '../../ports/objects.ts';
import type { Sandbox } from '../../ports/sandbox.ts';
import type { Sources } from '../../ports/sources.ts';
import type { Workspaces } from '../../ports/workspace.ts';
import type { PackagingInput } from '../packaging.ts';
import type { HostTools } from './host-tools.ts';

export interface BuildLimits {
  /** Milliseconds that one step may take. */
  readonly stepTimeout: number;
  /** Bytes of output of one build, its tests included. */
  readonly outputLimit: number;
  /** Processes of one step at a time. */
  readonly processLimit: number;
}

/** What the host engine works with; the same for every build. */
export interface HostEngineContext {
  readonly workspaces: Workspaces;
  readonly sandbox: Sandbox;
  readonly sources: Sources;
  readonly git: Git;
  readonly objects: Objects;
  readonly clock: Clock;
  /** Architecture of this machine. */
  readonly arch: Arch;
  readonly hostTools: HostTools;
  readonly limits: BuildLimits;
  readonly distribution: PackagingInput['provenance']['distribution'];
  /** Name of this builder. */
  readonly builder: string;
  /** Takes the log as it grows; `end` resolves when it writes nothing of it any more. */
  readonly liveLog?: { add(buildKey: string, text: string): void; end(buildKey: string): Promise<void> };
}

/** Directories of a build, relative to its workspace. */
export const directories = {
  /** What the steps see as `/home/build`. */
  build: 'build',
  /** What the steps see as `/`. */
  root: 'root',
  /** Holds the script of the running step. */
  script: 'script',
} as const;
