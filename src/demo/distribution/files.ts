const versionCheck = `name: Compare the version that a command prints with the version of its package

inputs:
  command:
    description: The command, which understands --version
    required: true
  version:
    description: The version that it should print
    default: \${{package.version}}

pipeline:
  - runs: |
      said=$(\${{inputs.command}} --version)
      case "$said" in
        *" \${{inputs.version}}"*) echo "$said" ;;
        *) echo "expected \${{inputs.version}}: $said" >&2; exit 1 ;;
      esac
`;

const countImage = `contents:
  repositories:
    - https://packages.regrow-box.example
  packages:
    - box-baselayout
    - count
    - words-english

entrypoint:
  command: /usr/bin/count
cmd: /usr/share/words/english.txt

accounts:
  groups:
    - groupname: nonroot
      gid: 65532
  users:
    - username: nonroot
      uid: 65532
      gid: 65532
  run-as: nonroot

environment:
  PATH: /usr/bin

annotations:
  org.opencontainers.image.title: count
  org.opencontainers.image.source: https://github.com/regrow-box/os
`;

const beaconImage = `contents:
  repositories:
    - https://packages.regrow-box.example
  packages:
    - beacon
    - box-baselayout

entrypoint:
  command: /usr/bin/beacon
cmd: harbour

annotations:
  org.opencontainers.image.title: beacon
  org.opencontainers.image.source: https://github.com/regrow-box/os
`;

const readme = `# The distribution in a box

Eight small recipes and two images, kept fresh by regrow. \`NAME.yaml\` is a recipe, \`pipelines/\` holds the steps that
recipes share, \`images/\` the images.
`;

/** Files of the recipe repository besides the recipes. */
export const distributionFiles: Readonly<Record<string, string>> = {
  'README.md': readme,
  'images/beacon.yaml': beaconImage,
  'images/count.yaml': countImage,
  'pipelines/box/version-check.yaml': versionCheck,
};

/** Names of the images, as they are pulled. */
export const imageNames: readonly string[] = ['beacon', 'count'];
