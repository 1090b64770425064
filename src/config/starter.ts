import type { TargetName } from '../model/target.ts';

/** What `regrow init` knows about a new distribution. */
export interface Starter {
  /** Absolute. */
  readonly stateDirectory: string;
  readonly targets: readonly TargetName[];
  /** `OWNER/NAME` on GitHub; without it the recipes are in a bare repository in the state directory. */
  readonly github?: string;
  /** The recipes of config/bootstrap are among those of the distribution, and melange builds the others with them. */
  readonly bootstrap?: boolean;
}

/**
 * The text of a first configuration file: what differs is set, everything else stands there with its default, as a comment.
 * `defaults`: the text of config/default.yaml, whose wording it keeps.
 */
export function starterConfig(
  defaults: string,
  { stateDirectory, targets, github, bootstrap = false }: Starter,
): string {
  const [first = '', ...blocks] = defaults.split(/\n\n+/);
  const isSet = /^(?:#|stateDirectory:)/;
  const isSetBlock = bootstrap ? /^(?:forge|targets|build):/ : /^(?:forge|targets):/;
  const general = first.split('\n').filter((line) => !isSet.test(line));
  const rest = [general.join('\n'), ...blocks.filter((block) => !isSetBlock.test(block))];
  const lines = [
    '# Configuration of regrow. What it does not say has its default: `regrow config show` prints every option with the',
    '# value that it has, `regrow config options` says what each is.',
    '',
    '# Everything that regrow keeps. Back up objects/ and keys/: they are the distribution.',
    `stateDirectory: ${JSON.stringify(stateDirectory)}`,
    '',
    ...(github === undefined ? bareForge(stateDirectory) : gitHubForge(github)),
    '',
    '# What is built for: architecture and C library.',
    'targets:',
    ...targets.map((target) => `  - ${target}`),
    ...(bootstrap ? ['', ...bootstrapBuild] : []),
    '',
    '# Below: the other options with their defaults.',
    '',
    ...rest.flatMap((block) => [...block.trimEnd().split('\n').map(commented), '']),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

/** Of the recipes in config/bootstrap: which engine makes them, and what they take from the machine. */
const bootstrapBuild = [
  '# melange builds, with packages of this distribution alone. The first of them the host engine makes, of tools of this machine.',
  'build:',
  '  engine: melange',
  '  engines: { baselayout: host, host-libc: host, shell: host, busybox: host, build-base: host }',
  '  hostTools:',
  '    busybox-static: [busybox]',
  '    toolchain: [cc, gcc, ld, ar, nm, ranlib, strip, objcopy, objdump, readelf, make, patch, git, pkg-config, tar, gzip, install, ldd, find]',
  '  # melange:',
  '  #   network: true # for recipes that download while they build',
];

function commented(line: string): string {
  return line === '' ? '#' : `# ${line.replace(/^# /, '')}`;
}

function bareForge(stateDirectory: string): string[] {
  return [
    `# The recipes are in the bare repository ${stateDirectory}/recipes.git: clone it, commit, push.`,
    '# A proposal that is built and verified merges itself.',
    'forge:',
    '  kind: git',
  ];
}

function gitHubForge(repository: string): string[] {
  return [
    '# The token comes from the environment: REGROW_FORGE_TOKEN, or tokenFile here.',
    'forge:',
    '  kind: github',
    `  repository: ${JSON.stringify(repository)}`,
    '  # mergeGreen: true   # without: people merge the pull requests',
    '  # tokenFile: /etc/regrow/forge-token',
  ];
}
