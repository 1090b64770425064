import type { Apk } from '../../src/formats/apk.ts';

/**
 * What of a package has to be the same whichever engine made it: what apk and people see of it. Left out is what each engine
 * says of itself: the SBOM's content, `.melange.yaml`, installed size (melange counts directories), compressed bytes; and
 * what melange leaves out: that two files are one by a hard link (it writes both), the address of subpackages.
 */
export function likenessOf(apk: Apk) {
  const { info } = apk;
  const entries = apk.entries();
  return {
    name: info.name,
    version: info.version,
    arch: info.arch,
    origin: info.origin,
    description: info.description,
    url: info.name === info.origin ? info.url : '',
    commit: info.commit,
    buildDate: info.buildDate,
    licenses: info.licenses,
    depends: info.depends,
    provides: info.provides,
    replaces: info.replaces,
    providerPriority: info.providerPriority,
    triggers: info.triggers,
    scriptlets: apk.scriptlets,
    files: entries.map((entry) => {
      const file = entry.type === 'hardlink' ? (entries.find(({ path }) => path === entry.link) ?? entry) : entry;
      const isSbom = file.path.endsWith('.spdx.json');
      return {
        path: entry.path,
        type: file.type,
        mode: file.mode.toString(8),
        link: file.type === 'symlink' ? file.link : undefined,
        content: file.type === 'file' && !isSbom ? Buffer.from(file.content).toString('latin1') : '',
      };
    }),
  };
}
