/** The pseudo-threads that a program needs on a kernel: counted before it runs, so that no schedule changes them. */

import { MAX_SLOTS, NO_NEEDS, slotsNeeded, type SlotNeeds } from '../kernel/slots.ts';
import type { Call, IocbArg, Program } from '../program/program.ts';
import { iocbsOf, placedCalls } from '../program/scope.ts';

const EPOLL_WAIT = 9;
const DISK = '/dev/sda';

/** What a program needs; NO_NEEDS without io_setup(). */
export function slotNeedsOf(program: Program, kernel: string): SlotNeeds {
  const parts = [program.init, ...program.threads];
  if (!parts.some((calls) => calls.some(makesContext))) return NO_NEEDS;
  // Only there has a request a timer.
  const timed = kernel.includes('+aio-epoll-wait') ? timedIocbs(program) : new Set<string>();
  return {
    exit: true,
    worker: true,
    irq: parts.flat().some(opensDisk),
    contexts: parts.map((calls) => calls.filter(makesContext).length),
    kiocbs: parts.map((calls) => calls.flatMap(iocbsOf).filter((e) => isTimed(e, timed)).length),
  };
}

/** Why the program needs more pseudo-threads than there are; null if it does not. */
export function refusalOfSlots(program: Program, kernel: string): string | null {
  const needs = slotNeedsOf(program, kernel);
  const needed = slotsNeeded(program.threads.length, needs);
  if (needed <= MAX_SLOTS) return null;
  const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
  return (
    `it takes ${needed} threads, timers, workers and interrupts of the model, which has ${MAX_SLOTS}: ` +
    `${program.threads.length} threads and their timers, ${sum(needs.contexts)} contexts, ` +
    `${sum(needs.kiocbs)} epoll_wait requests`
  );
}

function makesContext(call: Call): boolean {
  return call.name === 'io_setup';
}

function opensDisk(call: Call): boolean {
  return call.name === 'open' && call.args[0]?.kind === 'string' && call.args[0].value === DISK;
}

/** Names of iocbs that may hold an epoll_wait request. */
function timedIocbs(program: Program): ReadonlySet<string> {
  const names = new Set<string>();
  for (const entry of placedCalls(program).flatMap(({ call }) => iocbsOf(call)))
    if (entry.kind === 'iocb' && asksForTimer(entry)) names.add(entry.name);
  return names;
}

function asksForTimer({ op }: Extract<IocbArg, { kind: 'iocb' }>): boolean {
  if (op === null) return false;
  const [first] = op.args;
  const isNumber = op.name === 'opcode' && first?.kind === 'int' && first.value === EPOLL_WAIT;
  return op.name === 'epoll_wait' || isNumber;
}

/** Another thread can have filled the block with its own request before the kernel reads it. */
function isTimed(entry: IocbArg, timed: ReadonlySet<string>): boolean {
  return entry.kind === 'iocb' && timed.has(entry.name);
}
