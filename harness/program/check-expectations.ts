/** Whether expectations and conditions are about things that the program has. */

import { DETECTORS, errnoNumber } from '../abi/index.ts';
import type { Problem } from './check-names.ts';
import { didYouMean } from './did-you-mean.ts';
import { positionOf, type Position } from './positions.ts';
import type {
  CompletionPattern,
  Conjunction,
  EventPattern,
  Expectation,
  Program,
  ValuePattern,
} from './program.ts';
import { allNames, filledIocbs, type NameKind } from './scope.ts';

/** A problem with its place, as far as that is known. */
export interface Found extends Problem {
  /** When the problem's part has no position of its own. */
  readonly at?: Position | null;
  /** Spoken of when the program did not come from text. */
  readonly label?: string;
}

/** What patterns can speak of. */
export interface PatternScope {
  readonly all: ReadonlyMap<string, NameKind>;
  readonly iocbs: ReadonlySet<string>;
}

/** The first thing wrong with a pattern, or null. */
export function checkPattern(pattern: ValuePattern, scope: PatternScope): Found | null {
  if (pattern.kind === 'errno') return checkErrno(pattern.errno, pattern);
  if (pattern.kind === 'events') return checkEvents(pattern, scope);
  if (pattern.kind !== 'completions') return null;
  for (const entry of pattern.entries) {
    const found = checkCompletion(entry, scope);
    if (found !== null) return { at: positionOf(entry) ?? positionOf(pattern), ...found };
  }
  return null;
}

function checkErrno(errno: string, part: object): Found | null {
  if (errnoNumber(errno) !== null) return null;
  return { reason: `Cannot expect errno "${errno}": no such errno`, part };
}

function checkEvents(
  pattern: { readonly entries: readonly EventPattern[] },
  { all }: PatternScope,
): Found | null {
  for (const entry of pattern.entries) {
    if (/^-?[0-9]+$/.test(entry.name) || all.get(entry.name) === 'descriptor') continue;
    const near = [...all].filter(([, kind]) => kind === 'descriptor').map(([name]) => name);
    return {
      reason: `Cannot expect an event of "${entry.name}": no such descriptor${didYouMean(entry.name, near)}`,
      part: entry,
      at: positionOf(entry) ?? positionOf(pattern),
    };
  }
  return null;
}

function checkCompletion(entry: CompletionPattern, scope: PatternScope): Found | null {
  const { name, value } = entry;
  if (!/^-?[0-9]+$/.test(name) && !scope.iocbs.has(name)) {
    const hint = didYouMean(name, [...scope.iocbs]);
    return { reason: `Cannot expect a result of "${name}": no such iocb${hint}`, part: entry };
  }
  if (value.kind === 'errno') return checkErrno(value.errno, entry);
  return value.kind === 'events' ? checkEvents(value, scope) : null;
}

/** The first thing wrong with the expectations of a program, or null. */
export function checkExpect(program: Program): Found | null {
  const scope: PatternScope = {
    all: allNames(program),
    iocbs: filledIocbs([program.init, ...program.threads].flat()),
  };
  const blocks = new Set<string>();
  for (const block of program.expect) {
    const selectors = block.selectors.join(' ');
    if (blocks.has(selectors)) {
      return {
        reason: `Cannot have two "expect${selectors === '' ? '' : ' '}${selectors}:" blocks`,
        part: block,
      };
    }
    blocks.add(selectors);
    let exact = 0;
    for (const expectation of block.expectations) {
      if (expectation.kind === 'exactly' && ++exact > 1) {
        return { reason: 'Cannot have two exact sets in one block', part: expectation };
      }
      const found = checkExpectation(program, expectation, scope);
      if (found !== null)
        return { at: positionOf(found.part) ?? positionOf(expectation), ...found };
    }
  }
  return null;
}

function checkExpectation(
  program: Program,
  expectation: Expectation,
  scope: PatternScope,
): Found | null {
  switch (expectation.kind) {
    case 'always':
    case 'sometimes':
    case 'never':
      return checkConjunction(program, expectation.outcome, scope);
    case 'exactly':
      if (expectation.outcomes.length === 0) {
        return { reason: 'Cannot expect an empty set of outcomes', part: expectation };
      }
      for (const outcome of expectation.outcomes) {
        const found = checkConjunction(program, outcome, scope);
        if (found !== null) return found;
      }
      return null;
    case 'finding':
    case 'absent':
      return DETECTORS.includes(expectation.detector)
        ? null
        : {
            reason: `Cannot expect a finding of "${expectation.detector}": no such detector${didYouMean(expectation.detector, DETECTORS)}`,
            part: expectation,
          };
    case 'clean':
      return null;
  }
}

function checkConjunction(
  program: Program,
  outcome: Conjunction,
  scope: PatternScope,
): Found | null {
  const seen = new Set<string>();
  if (outcome.terms.length === 0)
    return { reason: 'Cannot expect an empty outcome', part: outcome };
  for (const term of outcome.terms) {
    if (seen.has(term.name))
      return { reason: `Cannot say "${term.name}" twice in one outcome`, part: term };
    seen.add(term.name);
    if (!scope.all.has(term.name) && !isCallLabel(program, term.name)) {
      const what = term.name.includes('.') ? 'no such call' : 'nothing binds it';
      return {
        reason: `Cannot expect "${term.name}": ${what}${didYouMean(term.name, [...scope.all.keys()])}`,
        part: term,
      };
    }
    if (term.values.length === 0)
      return { reason: `Cannot expect no value of "${term.name}"`, part: term };
    for (const value of term.values) {
      const found = checkPattern(value, scope);
      if (found !== null) return found;
    }
  }
  return null;
}

function isCallLabel(program: Program, name: string): boolean {
  const found = /^(init|T([1-9]))\.([1-9][0-9]{0,3})$/.exec(name);
  if (found === null) return false;
  const [, , thread, index] = found;
  const calls = thread === undefined ? program.init : program.threads[Number(thread) - 1];
  return calls !== undefined && Number(index) <= calls.length;
}
