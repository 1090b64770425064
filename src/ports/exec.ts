/** Running a trusted program of the host: argument vector, no shell, only the environment given. Errors: tool.missing, aborted. */
export interface ExecRequest {
  readonly argv: readonly [string, ...string[]];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: Uint8Array | string;
  /** Milliseconds. */
  readonly timeout?: number;
  /** Bytes of output kept; more is cut. Default 16 MiB. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
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
