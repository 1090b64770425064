/** Running a trusted program of the host: argument vector, no shell, only the environment given. Errors: tool.missing, aborted. */
export interface ExecRequest {
  readonly argv: readonly [string, ...string[]];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: Uint8Array | string;
  /** Of the program, where what it writes must not have that of the daemon. */
  readonly umask?: number;
  /** Milliseconds. */
  readonly timeout?: number;
  /** Bytes of output kept; more is cut. Default 16 MiB. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
  /**
   * How it is asked to end, on abort or when its time is up, and the milliseconds that it then has before it is ended.
   * Default SIGTERM and 2 s.
   */
  readonly stop?: { readonly signal: 'SIGTERM' | 'SIGINT'; readonly grace: number };
  /** Takes both outputs as they come, also what is beyond `limit`. */
  readonly onOutput?: (chunk: Uint8Array) => void;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
  readonly timedOut: boolean;
}

export interface Exec {
  run(request: ExecRequest): Promise<ExecResult>;
}
