/**
 * A command line as words, with quotes and backslashes read as a POSIX shell reads them and nothing expanded; undefined
 * where a quote is not closed.
 */
export function splitShellWords(text: string): readonly string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === "'" || char === '"') {
      const end = closingQuote(text, i);
      if (end === undefined) return undefined;
      const inner = text.slice(i + 1, end);
      word = (word ?? '') + (char === '"' ? inner.replace(/\\(["\\$`])/g, '$1') : inner);
      i = end;
    } else if (char === '\\') {
      if (i + 1 === text.length) return undefined;
      i++;
      word = (word ?? '') + text.charAt(i);
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + char;
    }
  }
  return word === undefined ? words : [...words, word];
}

function closingQuote(text: string, start: number): number | undefined {
  const quote = text.charAt(start);
  for (let i = start + 1; i < text.length; i++) {
    if (text.charAt(i) === '\\' && quote === '"') i++;
    else if (text.charAt(i) === quote) return i;
  }
  return undefined;
}
