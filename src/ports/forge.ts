/**
 * Where proposals are made. Two adapters: GitHub (git-data calls, no clone) and a bare git repository.
 * Errors: forge.unauthorized, forge.conflict, forge.refused, upstream.rate-limited, upstream.unreachable.
 */
export interface ForgeProposal {
  readonly number: number;
  readonly url: string;
  readonly branch: string;
  readonly title: string;
  readonly body: string;
  readonly labels: readonly string[];
  readonly state: 'open' | 'merged' | 'closed';
  readonly head: string;
  /** ISO 8601. */
  readonly openedAt: string;
  readonly closedAt?: string;
  /** Who closed it without merging, where that was not this forge port. */
  readonly closedBy?: string;
}

/** The tip of a branch. */
export interface ForgeBranch {
  readonly commit: string;
  readonly message: string;
  /** Whether this forge port wrote the commit and nobody has changed it since. */
  readonly ours: boolean;
}

export interface BranchWrite {
  readonly branch: string;
  /**
   * The commit whose files the new commit starts from. Where that is not the branch's head, the new commit has both as
   * parents: a branch only ever moves forward, so that a push of someone else in between is refused and never lost.
   */
  readonly parent: string;
  /** What the branch points at now as far as we know; undefined when it is to be made. Another head is forge.conflict. */
  readonly expectedHead: string | undefined;
  readonly message: string;
  readonly files: readonly { readonly path: string; readonly text: string }[];
}

export interface ProposalText {
  readonly title: string;
  readonly body: string;
  readonly labels: readonly string[];
}

export interface CommitStatus {
  readonly context: string;
  readonly state: 'pending' | 'success' | 'failure' | 'error';
  readonly description: string;
  readonly url?: string;
}

export interface Forge {
  /** Proposals on branches that start with `prefix`, open ones and those closed since `since` (ISO 8601). */
  list(prefix: string, since?: string): Promise<readonly ForgeProposal[]>;
  /** The open proposal of exactly this branch. */
  find(branch: string): Promise<ForgeProposal | undefined>;
  branch(name: string): Promise<ForgeBranch | undefined>;
  /** Puts one commit on a branch, making or moving it. Returns the commit. */
  write(write: BranchWrite): Promise<string>;
  /** Opens the proposal of a branch, or gives the one that is open. */
  open(branch: string, text: ProposalText): Promise<ForgeProposal>;
  update(number: number, text: Partial<ProposalText>): Promise<void>;
  setStatus(commit: string, status: CommitStatus): Promise<void>;
  /** One comment per `key`: a second one with the same key replaces the first. */
  comment(number: number, key: string, text: string): Promise<void>;
  /** Merges when the head is still `head`; forge.conflict when it is not or does not merge. Returns the commit on main. */
  merge(number: number, head: string): Promise<string>;
  /** Closes without merging, and says why in a comment. Closing what is closed is nothing. */
  close(number: number, why: string): Promise<void>;
}

const sealName = 'Regrow-Tree';

/** The message with a last line that names the commit's tree: how a forge port knows its own commits again. */
export function sealMessage(message: string, tree: string): string {
  return `${message.trimEnd()}\n\n${sealName}: ${tree}\n`;
}

/** Whether a commit is one that `sealMessage` was for, with the same files: an amended one has another tree. */
export function isSealed(message: string, tree: string): boolean {
  return message.trimEnd().endsWith(`\n\n${sealName}: ${tree}`);
}
