/** Prints programs in the one canonical form; parseProgram() reads it back to an equal program. */

import { formatMask } from '../abi/index.ts';
import type {
  Arg,
  Call,
  CompletionValue,
  Conjunction,
  EventPattern,
  ExpectBlock,
  Expectation,
  IocbArg,
  Program,
  ValuePattern,
} from './program.ts';

/** The canonical text of a program, ending in a newline. */
export function printProgram(program: Program): string {
  const header = [
    ...(program.name === '' ? [] : [`name: ${program.name}`]),
    ...program.meta.map(({ key, value }) => `${key}: ${value}`),
  ];
  const lines = header.length === 0 ? [] : [...header, ''];
  lines.push(...printCalls(program), ...program.expect.flatMap(printBlock));
  return `${lines.join('\n')}\n`;
}

/** The lines of init and threads alone. */
export function printCalls(program: Program): readonly string[] {
  const lines: string[] = [];
  if (program.init.length > 0)
    lines.push('init:', ...program.init.map((call) => `  ${printCall(call)}`));
  for (const [i, thread] of program.threads.entries()) {
    lines.push(`T${i + 1}:`, ...thread.map((call) => `  ${printCall(call)}`));
  }
  return lines;
}

/** `x = epoll_wait(A, 8, -1) if y == 0`. */
export function printCall(call: Call): string {
  const bind = call.bind.length === 0 ? '' : `${call.bind.join(', ')} = `;
  const when =
    call.when === undefined
      ? ''
      : ` if ${call.when.name} ${call.when.negated ? '!=' : '=='} ${printPattern(call.when.value)}`;
  return `${bind}${call.name}(${call.args.map(printArg).join(', ')})${when}`;
}

/** One argument as it is written in a call. */
export function printArg(arg: Arg): string {
  switch (arg.kind) {
    case 'int':
      return String(arg.value);
    case 'name':
      return arg.name;
    case 'flags':
      return arg.names.join('|');
    case 'string':
      return quote(arg.value);
    case 'pollfds':
      return `[${arg.entries.map((e) => `${printArg(e.fd)}:${printArg(e.events)}`).join(', ')}]`;
    case 'iocbs':
      return `[${arg.entries.map(printIocb).join(', ')}]`;
    case 'iovec':
      return `[${printSegments(arg.segments)}]`;
    case 'pointer':
      return arg.where;
    case 'mapped':
      return `mapped(${arg.elements})`;
    case 'signals':
      return `{${arg.names.join(', ')}}`;
    case 'labelled':
      return `${arg.label}=${printArg(arg.value)}`;
  }
}

/** From this many equal segments on, they are printed as `1 x 4`. */
const RUN = 4;

function printSegments(segments: readonly Arg[]): string {
  const runs: { text: string; count: number }[] = [];
  for (const text of segments.map(printArg)) {
    const last = runs.at(-1);
    if (last?.text === text) last.count++;
    else runs.push({ text, count: 1 });
  }
  return runs
    .map(({ text, count }) =>
      count < RUN ? new Array<string>(count).fill(text).join(', ') : `${text} x ${count}`,
    )
    .join(', ');
}

/** `a: pread(r, 4)`, `a`, `BAD`. */
export function printIocb(entry: IocbArg): string {
  if (entry.kind === 'pointer') return entry.where;
  const { name, op } = entry;
  return op === null ? name : `${name}: ${op.name}(${op.args.map(printArg).join(', ')})`;
}

/** A string literal; what is not printable ASCII is written `\xNN`. */
export function quote(text: string): string {
  const body = text.replace(/[^ !#-[\]-~]/g, (char) => {
    if (char === '\n') return '\\n';
    if (char === '\t') return '\\t';
    if (char === '"' || char === '\\') return `\\${char}`;
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `"${body}"`;
}

/** `{r:IN+}`, `EAGAIN`, `hang`. */
export function printPattern(pattern: ValuePattern): string {
  switch (pattern.kind) {
    case 'int':
      return String(pattern.value);
    case 'errno':
      return pattern.errno;
    case 'data':
      return quote(pattern.value);
    case 'events':
      return printEvents(pattern);
    case 'completions':
      return printList(
        pattern.ordered,
        pattern.entries.map((e) => `${e.name}:${printCompletion(e.value)}`),
      );
    case 'hang':
    case 'none':
    case 'ok':
    case 'killed':
      return pattern.kind;
  }
}

function printEvents(pattern: {
  readonly ordered: boolean;
  readonly entries: readonly EventPattern[];
}): string {
  return printList(
    pattern.ordered,
    pattern.entries.map((e) => `${e.name}:${formatMask(e.mask)}${e.atLeast ? '+' : ''}`),
  );
}

function printList(ordered: boolean, entries: readonly string[]): string {
  return ordered ? `[${entries.join(', ')}]` : `{${entries.join(', ')}}`;
}

function printCompletion(value: CompletionValue): string {
  switch (value.kind) {
    case 'int':
      return String(value.value);
    case 'errno':
      return value.errno;
    case 'ok':
      return 'ok';
    case 'data':
      return quote(value.value);
    case 'events':
      return printEvents(value);
    case 'any':
      return '*';
  }
}

/** `x=0|ENOENT y=hang`. */
export function printConjunction(outcome: Conjunction): string {
  return outcome.terms
    .map(({ name, values }) => `${name}=${values.map(printPattern).join('|')}`)
    .join(' ');
}

function printBlock(block: ExpectBlock): string[] {
  const head = ['expect', ...block.selectors].join(' ');
  return [`${head}:`, ...block.expectations.flatMap(printExpectation).map((line) => `  ${line}`)];
}

/** The lines of one expectation, without indentation. */
export function printExpectation(expectation: Expectation): string[] {
  switch (expectation.kind) {
    case 'always':
    case 'sometimes':
    case 'never':
      return [`${expectation.kind} ${printConjunction(expectation.outcome)}`];
    case 'exactly':
      return expectation.outcomes.map((outcome) => `outcome ${printConjunction(outcome)}`);
    case 'finding':
    case 'absent':
      return [
        expectation.site === undefined
          ? `${expectation.kind} ${expectation.detector}`
          : `${expectation.kind} ${expectation.detector} at ${expectation.site}`,
      ];
    case 'clean':
      return ['clean'];
  }
}

/** A stable hash (FNV-1a in two 32-bit lanes, 16 hexadecimal digits) of init and threads; names and expectations do not count. */
export function programHash(program: Program): string {
  // Two 32-bit lanes with different offsets: BigInt would be slow and 32 bits collide.
  let a = 0x811c9dc5;
  let b = 0x01000193;
  for (const char of printCalls(program).join('\n')) {
    const code = char.charCodeAt(0);
    a = Math.imul(a ^ code, 0x01000193) >>> 0;
    b = Math.imul(b ^ code, 0x85ebca6b) >>> 0;
  }
  return a.toString(16).padStart(8, '0') + b.toString(16).padStart(8, '0');
}
