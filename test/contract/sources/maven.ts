import { mavenSource } from '../../../src/watch/sources/maven.ts';
import type { SourceDescription } from '../source-suite.ts';
import { escapeXml, type RecordedAnswer } from '../upstream-server.ts';

const address = 'https://repo1.maven.org/maven2/org/apache/kafka/kafka_2.13/maven-metadata.xml';

const metadata = (versions: readonly string[]): RecordedAnswer => ({
  headers: { 'content-type': 'text/xml' },
  body: `<?xml version="1.0" encoding="UTF-8"?>
<metadata>
  <groupId>org.apache.kafka</groupId>
  <artifactId>kafka_2.13</artifactId>
  <versioning>
    <latest>4.0.0</latest>
    <release>4.0.0</release>
    <versions>
${versions.map((version) => `      <version>${escapeXml(version)}</version>`).join('\n')}
    </versions>
    <lastUpdated>20250318151812</lastUpdated>
  </versioning>
</metadata>
`,
});

/** Shape: maven.apache.org/ref/current/maven-repository-metadata/repository-metadata.html. */
export const description: SourceDescription = {
  source: mavenSource,
  key: 'maven:org.apache.kafka:kafka_2.13',
  document: address,
  recorded: {
    [address]: metadata(['3.8.0', '4.0.0-rc1', '3.9.0', '4.0.0-M2', '1.0.0.Beta2', '2.0-b3', '2.0.0-jre8', '4.0.0']),
  },
  expected: [
    { tag: '4.0.0', prerelease: false },
    { tag: '2.0.0-jre8', prerelease: false },
    { tag: '2.0-b3', prerelease: true },
    { tag: '1.0.0.Beta2', prerelease: true },
    { tag: '4.0.0-M2', prerelease: true },
    { tag: '3.9.0', prerelease: false },
    { tag: '4.0.0-rc1', prerelease: true },
    { tag: '3.8.0', prerelease: false },
  ],
  listing: (versions) => ({ [address]: metadata(versions) }),
  annotated: {
    'org.apache.kafka:kafka_2.13': 'maven:org.apache.kafka:kafka_2.13',
    'junit:junit': 'maven:junit:junit',
    junit: undefined,
    'org.apache:kafka:3.0': undefined,
    'org/apache:kafka': undefined,
    'org..apache:kafka': undefined,
  },
  inferred: {
    'https://repo1.maven.org/maven2/org/apache/kafka/kafka_2.13/${{package.version}}/kafka_2.13-${{package.version}}.tgz':
      'maven:org.apache.kafka:kafka_2.13',
    'https://repo.maven.apache.org/maven2/junit/junit/4.13/junit-4.13.jar': 'maven:junit:junit',
    'https://repo1.maven.org/maven2/junit/junit/4.13/other-4.13.jar': undefined,
    'https://repo1.maven.org/maven2/${{vars.group}}/junit/4.13/junit-4.13.jar': undefined,
  },
};
