/**
 * The public library: programs and their arbitraries, model and host targets, exploration, judging, fuzzing.
 * The command line calls the same functions.
 *
 * @example
 * import { parseProgram, modelTarget, checkHistory } from 'lostwake';
 *
 * const program = parseProgram(text, 'race.prog');
 * const behaviour = modelTarget('2.6.20').run(program, { checks: checkHistory });
 * console.log(behaviour.complete, behaviour.traces, behaviour.outcomes.map((o) => o.text));
 */

export type {
  CallRecord,
  Finding,
  History,
  ModelDetail,
  ReportedEvent,
  Result,
} from './history/history.ts';
export { signatureOf } from './history/history.ts';
export type { CounterexampleRow, CounterexampleView } from './history/counterexample.ts';
export type * from './program/program.ts';
export { parseProgram } from './program/text.ts';
export { printProgram, programHash } from './program/print.ts';
export { shrinkProgram } from './program/shrink.ts';
export { formatResult, matches, outcomeText } from './program/values.ts';
export {
  arbitraryCall,
  arbitraryKernelSpec,
  arbitraryProgram,
  profileOf,
} from './program/arbitrary/index.ts';
export type { Behaviour, FoundFinding, Observation, RunOptions, Target } from './target/target.ts';
export { listKernels, modelTarget, ModelTarget } from './target/model.ts';
export { hostTarget } from './target/host.ts';
export { judge } from './check/expect.ts';
export type { Judgement } from './check/expect.ts';
export { CHECKS, checkHistory } from './check/checks.ts';
export { STRATEGIES } from './explore/strategies.ts';
export { formatSchedule, parseSchedule } from './explore/token.ts';
export type { Schedule } from './explore/token.ts';
export { fuzz } from './runner/fuzz.ts';
export type { FuzzFinding, FuzzListener, FuzzOptions, FuzzResult } from './runner/fuzz.ts';
export { replay } from './runner/replay.ts';
export type { ReplayOptions, ReplayResult } from './runner/replay.ts';
export { counterexampleText } from './report/counterexample.ts';
