/** Every branch of regrow starts so; nothing else may. */
export const branchPrefix = 'regrow/';

/** One branch per package, whatever the version: a newer release takes over the open pull request. */
export function branchOf(packageName: string): string {
  return `${branchPrefix}${packageName}`;
}

/** Undefined where the branch is not one of ours. */
export function packageOfBranch(branch: string): string | undefined {
  return branch.startsWith(branchPrefix) ? branch.slice(branchPrefix.length) : undefined;
}
