/** The log of one build: what the engine does in lines that begin with `==>`, and what the steps write between them. */
export interface BuildLog {
  /** A line of the engine. */
  say(line: string): void;
  /** Output of a step. */
  add(chunk: Uint8Array): void;
  /** Bytes of output that are left for the steps. */
  left(): number;
  /** Lines at the end, without empty ones. */
  tail(lines: number): string[];
  bytes(): Uint8Array;
}

/** `outputLimit`: bytes of all steps together. `sink` takes the text as it comes. */
export function createBuildLog(outputLimit: number, sink?: (text: string) => void): BuildLog {
  const chunks: Buffer[] = [];
  let used = 0;
  let lineOpen = false;
  const decoder = new TextDecoder();
  const append = (chunk: Uint8Array): void => {
    if (chunk.length === 0) return;
    chunks.push(Buffer.from(chunk));
    lineOpen = chunk.at(-1) !== 10;
    sink?.(decoder.decode(chunk, { stream: true }));
  };
  return {
    say(line) {
      append(Buffer.from(`${lineOpen ? '\n' : ''}==> ${line}\n`));
    },
    add(chunk) {
      used += chunk.length;
      append(chunk);
    },
    left: () => Math.max(outputLimit - used, 0),
    tail(lines) {
      const end = Buffer.concat(lastChunks(chunks, 64 * 1024)).toString('utf8');
      return end
        .split('\n')
        .filter((line) => line.trim() !== '')
        .slice(-lines)
        .map((line) => line.slice(0, 500));
    },
    bytes: () => Buffer.concat(chunks),
  };
}

function lastChunks(chunks: readonly Buffer[], enough: number): readonly Buffer[] {
  let bytes = 0;
  let from = chunks.length;
  while (from > 0 && bytes < enough) {
    from -= 1;
    bytes += chunks[from]?.length ?? 0;
  }
  return chunks.slice(from);
}
