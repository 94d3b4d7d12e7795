/**
 * The state that init built, kept so that the next execution starts from it instead of building it again.
 *
 * Taking a snapshot walks every object that can be reached from the roots; restoring writes the fields, elements and
 * entries back as they were. So state must not hide where a walk cannot see it: in the variables of a closure, in a
 * private `#field`, or in a variable of a module that did not say `keepState`. What functions do is taken to be fixed.
 */

import { HarnessBug } from './op.ts';

type Root = () => unknown;

let roots: Root[] = [];

/**
 * Names state of the execution that init is building: each function answers the value of one variable. The variable
 * itself may change in init only; what it stands for may change at any time.
 */
export function keepState(...variables: readonly Root[]): void {
  roots.push(...variables);
}

/** Phases are numbered: the init that the present state comes from, and what runs now. */
let initPhase = 0;
let phase = 0;

/** Init runs: it names its roots, and side tables have nothing of earlier ones. */
export function beginInit(): void {
  if (roots.length > 0) roots = [];
  initPhase = ++phase;
}

/** What init built is there; what is entered in side tables from now on is gone in the next execution. */
export function beginThreads(): void {
  phase++;
}

/**
 * A WeakMap for state beside objects: it answers what init or this execution entered, and nothing of earlier executions
 * of the same init. Values are not walked: an object that changes must hang on something else as well.
 */
export class SideTable<K extends object, V> {
  private readonly entries = new WeakMap<K, { readonly phase: number; readonly value: V }>();

  get(key: K): V | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    return entry.phase === phase || entry.phase === initPhase ? entry.value : undefined;
  }

  set(key: K, value: V): void {
    this.entries.set(key, { phase, value });
  }
}

/** Writes the saved values of all objects of one shape back; `values` has their fields one object after the other. */
type Put = (objects: readonly object[], values: readonly unknown[]) => void;

interface Group {
  readonly put: Put;
  readonly objects: object[];
  readonly values: unknown[];
}

interface SavedArray {
  readonly array: unknown[];
  readonly content: readonly unknown[];
}

interface SavedMap {
  readonly map: Map<unknown, unknown>;
  readonly keys: readonly unknown[];
  readonly values: readonly unknown[];
}

interface SavedSet {
  readonly set: Set<unknown>;
  readonly content: readonly unknown[];
}

interface SavedWords {
  readonly words: Int32Array;
  readonly content: Int32Array;
}

/**
 * Fields that never change in the objects the machine makes most of, by the names of all their fields in order. What
 * words, locks and semaphores hold is in the engine; epoch and slot of a guard are the observer's own.
 */
const CONSTANT: ReadonlyMap<string, readonly string[]> = new Map([
  ['id mem', ['id', 'mem']],
  ['id mem name', ['id', 'mem', 'name']],
  ['id mem name flavour', ['id', 'mem', 'name', 'flavour']],
  ['id name flavour mem active queue', ['id', 'name', 'flavour', 'mem', 'queue']],
  ['name lock list guard active', ['name', 'lock', 'list', 'guard', 'active']],
  ['name mem epoch slot', ['name', 'mem', 'epoch', 'slot']],
  ['ref reserved cloexec', ['ref']],
  ['name number freed freeSite allocSite permanent', ['name', 'number', 'allocSite']],
  ['id mem value', ['id', 'mem']],
  ['next prev owner', ['owner']],
]);

/** The names of the fields of an object that may change. */
export function changing(object: object): readonly string[] {
  const keys = Object.keys(object);
  const constant = CONSTANT.get(keys.join(' '));
  return constant === undefined ? keys : keys.filter((key) => !constant.includes(key));
}

/** Putters by prototype, then by field names: they are made once and stay compiled. */
const putters = new Map<object | null, Map<string, Put>>();

/**
 * A function with the field names written out: the same in a loop over names would look every field up by its name
 * at run time, which costs more than building the objects anew.
 */
function putterFor(prototype: object | null, keys: readonly string[]): Put {
  let known = putters.get(prototype);
  if (known === undefined) {
    known = new Map();
    putters.set(prototype, known);
  }
  const shape = keys.join('\n');
  let put = known.get(shape);
  if (put === undefined) {
    // Most fields are as they were: looking costs less than storing, which the garbage collector must hear of.
    const stores = keys
      .map((key, i) => [`o[${JSON.stringify(key)}]`, `values[at + ${i}]`])
      .map(([field, value]) => `if (${field} !== ${value}) ${field} = ${value};`)
      .join('');
    const body =
      `let at = 0; for (let i = 0; i < objects.length; i++, at += ${keys.length}) ` +
      `{ const o = objects[i]; ${stores} }`;
    // The one cast: the text above is a function of this type.
    put = new Function('objects', 'values', body) as Put;
    known.set(shape, put);
  }
  return put;
}

export class Snapshot {
  private readonly roots: readonly Root[];
  private readonly rootValues: readonly unknown[];
  private readonly groups: Group[] = [];
  private readonly groupOf = new Map<Put, Group>();
  private readonly arrays: SavedArray[] = [];
  private readonly maps: SavedMap[] = [];
  private readonly sets: SavedSet[] = [];
  private readonly words: SavedWords[] = [];

  /** Saves all that can be reached from the present roots. Throws a HarnessBug for what cannot be put back. */
  constructor() {
    this.roots = roots;
    this.rootValues = roots.map((root) => root());
    const seen = new Set<object>();
    const waiting: object[] = [];
    const meet = (value: unknown): void => {
      if (typeof value !== 'object' || value === null || seen.has(value)) return;
      seen.add(value);
      waiting.push(value);
    };
    for (const value of this.rootValues) meet(value);
    for (let object = waiting.pop(); object !== undefined; object = waiting.pop())
      this.save(object, meet);
  }

  private save(object: object, meet: (value: unknown) => void): void {
    if (Array.isArray(object)) {
      object.forEach(meet);
      if (!Object.isFrozen(object)) this.arrays.push({ array: object, content: object.slice() });
    } else if (object instanceof Map) {
      const keys: unknown[] = [...object.keys()];
      const values: unknown[] = [...object.values()];
      keys.forEach(meet);
      values.forEach(meet);
      this.maps.push({ map: object, keys, values });
    } else if (object instanceof Set) {
      object.forEach(meet);
      this.sets.push({ set: object, content: [...object] });
    } else if (object instanceof Int32Array) {
      this.words.push({ words: object, content: object.slice() });
    } else this.saveFields(object, meet);
  }

  private saveFields(object: object, meet: (value: unknown) => void): void {
    const tag = Object.prototype.toString.call(object);
    if (tag !== '[object Object]') throw new HarnessBug(`Cannot keep a ${tag} of init`);
    Object.values(object).forEach(meet);
    const keys = changing(object);
    if (keys.length === 0 || Object.isFrozen(object)) return;
    const prototype: object | null = Object.getPrototypeOf(object);
    const put = putterFor(prototype, keys);
    let group = this.groupOf.get(put);
    if (group === undefined) {
      group = { put, objects: [], values: [] };
      this.groupOf.set(put, group);
      this.groups.push(group);
    }
    group.objects.push(object);
    for (const key of keys) group.values.push(Reflect.get(object, key));
  }

  /** Puts everything back. Throws a HarnessBug if a root stands for something else now. */
  restore(): void {
    const { groups, arrays, maps, sets, words } = this;
    for (let i = 0; i < this.roots.length; i++)
      if (this.roots[i]() !== this.rootValues[i])
        throw new HarnessBug('Cannot restore what init built: a variable of a module was replaced');
    for (let i = 0; i < groups.length; i++) {
      const { put, objects, values } = groups[i];
      put(objects, values);
    }
    for (let i = 0; i < arrays.length; i++) restoreArray(arrays[i].array, arrays[i].content);
    for (let i = 0; i < maps.length; i++) restoreMap(maps[i]);
    for (let i = 0; i < sets.length; i++) restoreSet(sets[i]);
    for (let i = 0; i < words.length; i++) words[i].words.set(words[i].content);
  }
}

function restoreArray(array: unknown[], content: readonly unknown[]): void {
  while (array.length > content.length) array.pop();
  for (let i = 0; i < content.length; i++) if (array[i] !== content[i]) array[i] = content[i];
}

/** The order of the entries counts, so it is restored as well. */
function restoreMap({ map, keys, values }: SavedMap): void {
  if (map.size === keys.length) {
    let i = 0;
    for (const key of map.keys()) {
      if (key !== keys[i] || map.get(key) !== values[i]) break;
      i++;
    }
    if (i === keys.length) return;
  }
  map.clear();
  for (let i = 0; i < keys.length; i++) map.set(keys[i], values[i]);
}

function restoreSet({ set, content }: SavedSet): void {
  if (set.size === content.length) {
    let i = 0;
    for (const value of set) {
      if (value !== content[i]) break;
      i++;
    }
    if (i === content.length) return;
  }
  set.clear();
  for (const value of content) set.add(value);
}
