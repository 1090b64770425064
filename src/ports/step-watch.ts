/** Keeping an eye on steps that a program of others runs in bubblewrap, one sandbox after another. */
export interface StepWatch {
  /**
   * Until what it gives is called: ends the newest sandbox when it has more processes at a time than `limit`, and says so, once.
   * `statusFile`: absolute path of what every bwrap appends with `--json-status-fd`.
   */
  watch(statusFile: string, limit: number, onExceeded: () => void): () => void;
  /** The RLIMIT_NPROC that is a brake for steps with such a limit. */
  brake(limit: number): number;
}
