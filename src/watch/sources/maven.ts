import { z } from 'zod';
import { oneOrMore, readXml } from '../document.ts';
import { identifierOf, pollDocument } from '../observe.ts';
import type { ReleaseSource } from '../source.ts';

const central = 'https://repo1.maven.org/maven2';
const partForm = /^[A-Za-z0-9_][\w-]*(?:\.[\w-]+)*$/;
const addressForm =
  /^https:\/\/(?:repo1\.maven\.org|repo\.maven\.apache\.org)\/maven2\/([\w./-]+)\/([\w.-]+)\/[^/]+\/([^/]+)$/;
/** Maven's own order of qualifiers (maven.apache.org/pom.html, Version Order Specification): before the release, and `a1`, `b1`, `m1`. */
const preRelease = /(?:^|[^a-z])(?:alpha|beta|milestone|rc|cr|snapshot|[abm](?=\d))(?:[^a-z]|$)/i;

const metadataSchema = z.object({
  metadata: z.object({ versioning: z.object({ versions: z.object({ version: oneOrMore(z.string()) }) }) }),
});
/** Of an artifact that has been taken back whole. */
const emptySchema = z.object({ metadata: z.object({ versioning: z.object({ versions: z.literal('') }) }) });

/**
 * An artifact of Maven Central, by its maven-metadata.xml, which lists versions as they were added and says no dates.
 * Keys: `maven:GROUP:ARTIFACT`.
 */
export const mavenSource: ReleaseSource = {
  kind: 'maven',
  key: () => undefined,
  annotated: keyOf,

  inferred(address) {
    const [, group = '', artifact = '', file = ''] = addressForm.exec(address) ?? [];
    return file.startsWith(`${artifact}-`) ? keyOf(`${group.replaceAll('/', '.')}:${artifact}`) : undefined;
  },

  poll(request, ports) {
    const [group = '', artifact = ''] = identifierOf(request.source).split(':');
    const url = `${central}/${group.replaceAll('.', '/')}/${artifact}/maven-metadata.xml`;
    return pollDocument(request, ports, { url }, (document) => {
      const answer = readXml(document, z.union([metadataSchema, emptySchema]));
      const { versions } = answer.metadata.versioning;
      if (versions === '') return [];
      return versions.version.toReversed().map((tag) => ({ tag, prerelease: preRelease.test(tag) }));
    });
  },
};

function keyOf(identifier: string): string | undefined {
  const parts = identifier.split(':');
  return parts.length === 2 && parts.every((part) => partForm.test(part)) ? `maven:${identifier}` : undefined;
}
