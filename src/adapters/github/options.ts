import type { GitHubClient } from './client.ts';

/** Which repository on which GitHub. */
export interface GitHubForgeOptions {
  readonly client: GitHubClient;
  readonly owner: string;
  readonly repository: string;
  /** The branch that proposals are merged into. */
  readonly mainBranch: string;
}
