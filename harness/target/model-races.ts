/** What threads of a program can see of each other: static facts that spare operations where they cannot. */

import type { Arg, Call, Program } from '../program/program.ts';
import { iocbsOf } from '../program/scope.ts';

const MAKES = new Set([
  'pipe',
  'pipe2',
  'socketpair',
  'accept',
  'connect',
  'listen',
  'dup',
  'dup2',
  'open',
  'epoll_create',
]);

/**
 * Whether lookups of descriptors race with anything: a thread closes or replaces one, or makes one while another
 * thread guesses numbers.
 */
export function racesOnDescriptors(program: Program): boolean {
  const calls = program.threads.flat();
  if (calls.some((c) => c.name === 'close' || c.name === 'dup2' || c.name === 'munmap'))
    return true;
  // A second open of a pipe end: the counts of its ends, which poll looks at, change as with a close.
  if (calls.some((c) => c.name === 'open' && c.args[1]?.kind === 'name')) return true;
  const makes = calls.some((c) => MAKES.has(c.name));
  const guesses = calls.some(guessesNumbers);
  const createsSet = calls.some((c) => c.name === 'epoll_create');
  return createsSet || (makes && guesses);
}

/** Calls whose numbers are no descriptors. */
const NO_DESCRIPTORS = new Set([
  'epoll_wait',
  'io_setup',
  'io_destroy',
  'io_cancel',
  'io_getevents',
  'aio_ring',
  'sleep',
]);

function guessesNumbers(call: Call): boolean {
  if (call.name === 'io_submit')
    return iocbsOf(call).some((e) => e.kind === 'iocb' && (e.op?.args.some(isInt) ?? false));
  return !NO_DESCRIPTORS.has(call.name) && call.args.some(isInt);
}

function isInt(arg: Arg): boolean {
  return arg.kind === 'int';
}

const DROPS_CONTEXT = new Set(['io_setup', 'io_destroy']);

/**
 * Whether the last reference of an AIO context can go while calls of other threads run: one destroys a context, an
 * io_setup() fails late, or a release of a file that was put off gives one back.
 */
export function contextsDie(program: Program): boolean {
  return (
    program.threads.flat().some((c) => DROPS_CONTEXT.has(c.name)) || racesOnDescriptors(program)
  );
}
