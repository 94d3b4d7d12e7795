/** What a program has made so far, while it is generated. */

import type { Arg, Call, Condition } from '../program.ts';
import { pick, type Draw } from './draw.ts';
import type { KernelProfile } from './profile.ts';

export type DescriptorKind =
  | 'set'
  | 'device'
  | 'pipe-read'
  | 'pipe-write'
  | 'socket'
  | 'listener'
  | 'eventfd'
  | 'timerfd'
  | 'disk'
  | 'other';

export interface Descriptor {
  readonly name: string;
  readonly kind: DescriptorKind;
  /** Ends of one pipe or pair, and duplicates of them, share it. */
  readonly channel: number;
  readonly blocking: boolean;
}

/** State shared by init and all threads of one program. */
export interface World {
  readonly draw: Draw;
  readonly profile: KernelProfile;
  /** Sizes this program writes and reads: few, so that they meet again. */
  readonly sizes: readonly number[];
  /** The channel most calls are about; init chooses it. */
  hot: number;
  /** `A r`: registrations init has made. */
  readonly registered: Set<string>;
  readonly usedNames: Set<string>;
  channels: number;
  readonly threads: number;
}

/** What one thread (or init) sees and has done. */
export interface Actor {
  readonly world: World;
  /** -1 is init. */
  readonly thread: number;
  readonly descriptors: Descriptor[];
  readonly mappings: string[];
}

/** A name not used yet: `x`, then `x2`, `x3`. */
export function freshName(world: World, stem: string): string {
  let name = stem;
  for (let n = 2; world.usedNames.has(name); n++) name = `${stem}${n}`;
  world.usedNames.add(name);
  return name;
}

/** Descriptors of these kinds the actor can name. */
export function ofKind(actor: Actor, ...kinds: readonly DescriptorKind[]): readonly Descriptor[] {
  return actor.descriptors.filter((descriptor) => kinds.includes(descriptor.kind));
}

/** One of the list, most often of the hot channel; null if the list is empty. */
export function pickHot(world: World, list: readonly Descriptor[]): Descriptor | null {
  if (list.length === 0) return null;
  const hot = list.filter((descriptor) => descriptor.channel === world.hot);
  return hot.length > 0 && world.draw.int(0, 3) > 0
    ? pick(world.draw, hot)
    : pick(world.draw, list);
}

export function int(value: number): Arg {
  return { kind: 'int', value };
}

export function name(text: string): Arg {
  return { kind: 'name', name: text };
}

export function flags(...names: readonly string[]): Arg {
  return names.length === 0 ? int(0) : { kind: 'flags', names };
}

/** A call of any name; its results are bound as given. */
export function call(
  bind: readonly string[],
  syscall: string,
  args: readonly Arg[],
  when?: Condition,
): Call {
  return when === undefined ? { bind, name: syscall, args } : { bind, name: syscall, args, when };
}
