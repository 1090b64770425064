import { splitEpoch } from '../model/apk-version.ts';

/** `jq/1.8.2 package update`, as the distribution writes it; `fullVersion` has the epoch, the title has not. */
export function titleOf(packageName: string, fullVersion: string): string {
  return `${packageName}/${splitEpoch(fullVersion).version} package update`;
}

export function parseTitle(title: string): { readonly package: string; readonly version: string } | undefined {
  const [, name, version] = /^(\S+)\/([^/\s]+) package update(?: |$)/.exec(title) ?? [];
  return name === undefined || version === undefined ? undefined : { package: name, version };
}
