/**
 * Whether a source is a repository on GitHub: one of its lists (`github:OWNER/REPO/tags`), or the repository by its address
 * (`git:https://github.com/OWNER/REPO.git`). GitHub's names are the same in upper and lower case.
 */
export function isOfGitHubRepository(source: string, repository: string): boolean {
  const key = source.toLowerCase();
  const name = repository.toLowerCase();
  if (key.startsWith(`github:${name}/`) || key === `github:${name}`) return true;
  const at = key.indexOf(`github.com/${name}`);
  return at >= 0 && /^(?:\.git)?(?:$|[/#?])/.test(key.slice(at + `github.com/${name}`.length));
}
