import { gitSource } from '../../../src/watch/sources/git.ts';
import type { SourceDescription } from '../source-suite.ts';

const address = 'https://git.example.org/jq.git/info/refs?service=git-upload-pack';
const commit = (digit: string) => digit.repeat(40);

/** What git's smart HTTP says first (git's gitprotocol-http, gitprotocol-pack): lines with their length in front. */
function advertisement(refs: readonly (readonly [name: string, commit: string])[]) {
  const line = (text: string): Buffer => {
    const bytes = Buffer.from(text);
    return Buffer.concat([Buffer.from((bytes.length + 4).toString(16).padStart(4, '0')), bytes]);
  };
  const lines = refs.map(([name, id], at) =>
    line(`${id} ${name}${at === 0 ? '\0symref=HEAD:refs/heads/main agent=git/2.43.0' : ''}\n`),
  );
  const end = Buffer.from('0000');
  return {
    headers: { 'content-type': 'application/x-git-upload-pack-advertisement' },
    body: Buffer.concat([line('# service=git-upload-pack\n'), end, ...lines, end]),
  };
}

const main = [
  ['HEAD', commit('1')],
  ['refs/heads/main', commit('1')],
] as const;

export const description: SourceDescription = {
  source: gitSource,
  key: 'git:https://git.example.org/jq.git',
  document: address,
  recorded: {
    [address]: advertisement([
      ...main,
      ['refs/heads/v9', commit('2')],
      ['refs/pull/1/head', commit('3')],
      ['refs/tags/jq-1.10', commit('4')],
      ['refs/tags/jq-1.9', commit('5')],
      ['refs/tags/jq-1.9^{}', commit('6')],
      ['refs/tags/release/jq-1.8', commit('7')],
    ]),
  },
  // The commit of an annotated tag is the one that it peels to.
  expected: [
    { tag: 'release/jq-1.8', commit: commit('7'), prerelease: false },
    { tag: 'jq-1.10', commit: commit('4'), prerelease: false },
    { tag: 'jq-1.9', commit: commit('6'), object: commit('5'), prerelease: false },
  ],
  listing: (versions) => {
    // What git-check-ref-format lets a ref be.
    const possible = versions.filter((version) => !/[\s\0]|^$/.test(version));
    return {
      [address]: advertisement([...main, ...possible.map((tag) => [`refs/tags/${tag}`, commit('8')] as const)]),
    };
  },
  odd: ['1.0.0', '版本-2.0', 'релиз-3.0', '00000000000000000000005'],
  throughGit: true,
  // To git it is a server that hung up.
  codes: { truncated: 'upstream.unreachable', empty: 'upstream.unreachable' },
  annotated: {
    'https://git.example.org/jq.git': 'git:https://git.example.org/jq.git',
    'http://git.example.org:8080/~user/jq/': 'git:http://git.example.org:8080/~user/jq',
    'git://git.example.org/jq': 'git:git://git.example.org/jq',
    'ssh://git@git.example.org/jq': undefined,
    'git@git.example.org:jq': undefined,
    'file:///srv/git/jq': undefined,
    '/srv/git/jq': undefined,
    'ext::sh -c touch% /tmp/x': undefined,
    'https://user:secret@git.example.org/jq': undefined,
    'https://git.example.org/../jq': undefined,
    '--upload-pack=x': undefined,
  },
  inferred: {},
};
