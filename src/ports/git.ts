/** Reading git repositories. Errors: upstream.unreachable, upstream.not-found, upstream.answer-invalid, upstream.rate-limited, aborted. */
export interface GitRef {
  /** `refs/tags/v1.0` */
  readonly name: string;
  /** The commit; of an annotated tag, the one that it peels to. */
  readonly commit: string;
  /** Of an annotated tag: its own id, which some pin instead of the commit. */
  readonly object?: string;
}

export interface GitCommit {
  readonly commit: string;
  /** Committer time, seconds since 1970. */
  readonly time: number;
}

/** Who changed something, and when. */
export interface GitChange {
  readonly commit: string;
  /** ISO 8601, of the committer. */
  readonly at: string;
  readonly author: string;
}

export interface GitFile {
  readonly path: string;
  /** Git blob id: the file's content by hash. */
  readonly blob: string;
}

export interface GitCheckout {
  readonly repository: string;
  readonly tag?: string;
  readonly branch?: string;
  readonly commit?: string;
  /** Absolute path of a directory; made when absent. */
  readonly into: string;
  readonly recurseSubmodules?: boolean;
  readonly signal?: AbortSignal;
}

/** Files of one commit. `tag` and `branch` help where a server refuses a commit by its id. */
export interface GitFilesRequest {
  readonly repository: string;
  readonly commit: string;
  readonly tag?: string;
  readonly branch?: string;
  readonly paths: readonly string[];
  /** Bytes; a larger file is left out. */
  readonly limit: number;
  readonly signal?: AbortSignal;
}

export interface Git {
  lsRemote(repository: string, signal?: AbortSignal): Promise<readonly GitRef[]>;
  /** Checks out a work tree without its history. Returns what HEAD is. */
  checkout(request: GitCheckout): Promise<GitCommit>;
  /** Content of files by path, without a work tree. What is not there, or is no regular file, is left out. */
  files(request: GitFilesRequest): Promise<ReadonlyMap<string, Uint8Array>>;
}

/** A repository of recipes as the daemon reads it: a bare mirror that is brought up to date, then read by commit. */
export interface RecipeRepository {
  /** Brings the mirror up to date; afterwards `head` and `branches` say what the remote has. */
  refresh(signal?: AbortSignal): Promise<void>;
  /** Tip of the main branch. */
  head(): Promise<GitCommit>;
  branches(prefix: string): Promise<readonly GitRef[]>;
  commit(id: string): Promise<GitCommit>;
  /** Every file below a commit, sorted by path. */
  files(commit: string): Promise<readonly GitFile[]>;
  /** Content of blobs, by blob id. */
  read(blobs: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>>;
  /** The newest commit up to `commit` that changed a file; undefined where none did. */
  lastChange(commit: string, path: string): Promise<GitChange | undefined>;
  /** Whether `ancestor` is in the history of `commit`. */
  contains(commit: string, ancestor: string): Promise<boolean>;
}
