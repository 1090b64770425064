/**
 * Running a program that nobody trusts. Errors: sandbox.unavailable, build.timeout, build.log-limit,
 * build.process-limit, aborted, storage.full.
 */
export interface SandboxRun {
  /**
   * Absolute path of the directory that is `/` inside. With `host: true` the host's `/usr` is seen under `/host/usr`,
   * where the links that Workspace.mergeHost made point.
   */
  readonly root: string;
  readonly rootWritable?: boolean;
  readonly host?: boolean;
  readonly binds?: readonly { readonly from: string; readonly to: string; readonly writable?: boolean }[];
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Milliseconds. */
  readonly timeout: number;
  /** Bytes of output before the program is ended with build.log-limit. */
  readonly outputLimit: number;
  /** Most processes at a time. */
  readonly processLimit?: number;
  readonly onOutput?: (chunk: Uint8Array) => void;
  readonly signal?: AbortSignal;
}

export interface Sandbox {
  /** Never any network, never a file of the host but those named. Resolves to the exit code. */
  run(run: SandboxRun): Promise<number>;
  /** Resolves when a sandbox can be made here; throws sandbox.unavailable with the remedy. */
  probe(): Promise<void>;
}
