/**
 * Whether a source is a repository on GitHub: one of its lists (`github:OWNER/REPO/tags`), or the repository by its address
 * (`git:https://github.com/OWNER/REPO.git`). GitHub's names are the same in upper and lower case.
 */
export function isOfGitHubRepository(source: string, repository: string): boolean {
  const key = source.toLowerCase();
  const name = repository.toLowerCase();
  if (key.startsWith(`github:${name}/`) || key === `github:${name}`) return true;
  const [, path] = /^git:[a-z]+:\/\/(?:www\.)?github\.com\/(.*)$/.exec(key) ?? [];
  return path?.startsWith(name) === true && /^(?:\.git)?(?:$|[/#?])/.test(path.slice(name.length));
}
