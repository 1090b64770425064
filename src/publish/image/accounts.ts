import type { ImageDefinition } from '../../model/image-definition.ts';
import { imageInvalid, putFile, putMissing, type Root, readText } from './root.ts';

const rootUser = 'root:x:0:0:root:/root:/bin/sh';
const rootGroup = 'root:x:0:';

/**
 * The definition's users and groups in `/etc/passwd` and `/etc/group`, after those that the packages bring, and a home for
 * each new user. Throws image.invalid where a name or number is taken by another.
 */
export function addAccounts(root: Root, definition: ImageDefinition): void {
  const { users, groups } = definition;
  if (users.length > 0) {
    const entries = users.map(({ username, uid, gid = uid, homedir = `/home/${username}`, shell = '/bin/sh' }) =>
      [username, 'x', uid, gid, '', homedir, shell].join(':'),
    );
    extend(root, 'etc/passwd', entries, rootUser);
  }
  if (groups.length > 0) {
    const entries = groups.map(({ groupname, gid, members }) => [groupname, 'x', gid, members.join(',')].join(':'));
    extend(root, 'etc/group', entries, rootGroup);
  }
  for (const { username, uid, gid = uid, homedir = `/home/${username}` } of users) {
    const path = homedir.replace(/^\/+/, '');
    if (path === '' || homedir === '/dev/null') continue;
    putMissing(root, { path, type: 'directory', mode: 0o755, owner: { uid, gid } });
  }
}

/** `run-as` as a container runtime needs it, in numbers: `65532:65532`. Throws image.invalid for a name that nobody has. */
export function userOf(root: Root, definition: ImageDefinition): string | undefined {
  const { runAs } = definition;
  if (runAs === undefined) return undefined;
  const [user = '', group] = runAs.split(':');
  const account = find(root, 'etc/passwd', user);
  const uid = account?.[2] ?? number(user);
  const gid = group === undefined ? account?.[3] : (find(root, 'etc/group', group)?.[2] ?? number(group));
  if (uid === undefined || (group !== undefined && gid === undefined)) {
    throw imageInvalid(`nobody in the image is called ${runAs}`, 'add the account', 'accounts.run-as');
  }
  return gid === undefined ? uid : `${uid}:${gid}`;
}

/** Adds lines to a file of colon-separated fields, whose first is a name and third a number; the same name is replaced. */
function extend(root: Root, path: string, entries: readonly string[], first: string): void {
  const existing = (readText(root, path) ?? `${first}\n`).split('\n').filter((line) => line !== '');
  const result = [...existing];
  for (const entry of entries) {
    if (/[\n\0]/.test(entry)) throw imageInvalid(`an account of /${path} has a line break`, 'remove it', 'accounts');
    const [name, , id] = entry.split(':');
    const at = result.findIndex((line) => line.split(':')[0] === name);
    const taken = result.find((line, i) => i !== at && line.split(':')[2] === id);
    if (taken !== undefined) {
      const owner = taken.split(':')[0];
      throw imageInvalid(`${name} and ${owner} both have the number ${id} in /${path}`, 'give another', 'accounts');
    }
    if (at === -1) result.push(entry);
    else result[at] = entry;
  }
  putFile(root, { path, type: 'file', mode: 0o644, content: Buffer.from(`${result.join('\n')}\n`) });
}

/** The fields of an account by name or number. */
function find(root: Root, path: string, account: string): readonly string[] | undefined {
  const lines = (readText(root, path) ?? '').split('\n').map((line) => line.split(':'));
  return lines.find(([name]) => name === account) ?? lines.find(([, , id]) => id === account);
}

function number(text: string): string | undefined {
  return /^[0-9]+$/.test(text) ? text : undefined;
}
