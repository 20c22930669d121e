/** A call of a logger in a source text. */
export interface LogCall {
  /** Those that the call names; empty where a variable does. */
  levels: string[];
  /** The sentences that it may write. */
  sentences: string[];
  line: number;
}

const CALL = /\b(?:\w*[lL]ogger|log)(?:\??\.(?<level>fatal|error|warn|info|debug|trace)|\[(?<chosen>[^\]]+)\])\(/g;
const LITERAL = /'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"/g;

/** The calls of loggers, by their text: names that end in "logger" are loggers. */
export function logCalls(text: string): LogCall[] {
  return [...text.matchAll(CALL)].map((match) => {
    const { level, chosen = '' } = match.groups!;
    const last = argumentsFrom(text, match.index + match[0].length).at(-1) ?? '';
    return {
      levels: level === undefined ? literals(chosen) : [level],
      sentences: last.trimStart().startsWith('{') ? [] : literals(last.replace(/^[^?]*\?/s, '')),
      line: text.slice(0, match.index).split('\n').length,
    };
  });
}

function literals(text: string): string[] {
  return [...text.matchAll(LITERAL)].map(([, single, double]) => (single ?? double ?? '').replaceAll(/\\(.)/g, '$1'));
}

/** The texts of the arguments behind an opening parenthesis. */
function argumentsFrom(text: string, from: number): string[] {
  const found: string[] = [];
  let depth = 0;
  let quote = '';
  let begin = from;
  for (let at = from; at < text.length; at++) {
    const letter = text[at]!;
    if (quote !== '') {
      if (letter === '\\') at++;
      else if (letter === quote) quote = '';
    } else if (`'"\``.includes(letter)) quote = letter;
    else if ('([{'.includes(letter)) depth++;
    else if (')]}'.includes(letter) && depth > 0) depth--;
    else if (letter === ',' || letter === ')') {
      if (depth > 0) continue;
      found.push(text.slice(begin, at));
      begin = at + 1;
      if (letter === ')') break;
    }
  }
  return found.filter((argument) => argument.trim() !== '');
}
