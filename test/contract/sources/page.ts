import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import { pageSource } from '../../../src/watch/sources/page.ts';
import type { SourceDescription } from '../source-suite.ts';
import { escapeXml, type RecordedAnswer } from '../upstream-server.ts';

const address = 'https://ftp.gnu.org/gnu/bash/';
const pattern = '>bash-([^<>]+)\\.tar\\.gz<';
const { recipe } = parseRecipe(
  'bash.yaml',
  `package:\n  name: bash\n  version: "5.2"\n  epoch: 0\n  annotations:\n    dev.regrow.pattern: '${pattern}'\n`,
);

const index = (files: readonly string[]): RecordedAnswer => ({
  headers: { 'content-type': 'text/html;charset=UTF-8' },
  body: `<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">
<html><head><title>Index of /gnu/bash</title></head><body><h1>Index of /gnu/bash</h1><table>
${files.map((file) => `<tr><td><a href="x">${escapeXml(file)}</a></td><td>2024-01-01 10:00</td></tr>`).join('\n')}
</table></body></html>`,
});
const archives = (versions: readonly string[]) => versions.map((version) => `bash-${version}.tar.gz`);

/** Shape: an index of files as web servers make it. */
export const description: SourceDescription = {
  source: pageSource,
  key: `page:${address} ${pattern}`,
  document: address,
  recorded: {
    [address]: index([...archives(['5.1', '5.2.37', '5.2.9']), 'bash-5.2.37.tar.gz.sig', 'readline-8.2.tar.gz']),
  },
  expected: [
    { tag: '5.2.37', prerelease: false },
    { tag: '5.2.9', prerelease: false },
    { tag: '5.1', prerelease: false },
  ],
  listing: (versions) => ({ [address]: index(archives(versions)) }),
  nothing: 'upstream.answer-invalid',
  // Of a page that stops in the middle, what is there can be read.
  tolerates: ['truncated'],
  recipe,
  annotated: {
    [address]: `page:${address} ${pattern}`,
    'HTTPS://FTP.gnu.org/gnu/bash': `page:https://ftp.gnu.org/gnu/bash ${pattern}`,
    'https://ftp.gnu.org/gnu/bash/#top': `page:${address} ${pattern}`,
    'https://user:secret@example.org/': undefined,
    'file:///etc/passwd': undefined,
    'ftp://ftp.gnu.org/gnu/bash/': undefined,
    'ftp.gnu.org/gnu/bash': undefined,
  },
  inferred: {},
};
