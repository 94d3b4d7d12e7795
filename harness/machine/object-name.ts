/** What objects are called in reports. */

import { MAX_OBJECTS, MAX_THREADS, OBJECTS_PER_THREAD } from './op.ts';

/**
 * Kind of the object with its number, `ep.lock#1`: numbers count per kind, those of init first and then those of each
 * thread. `names` are the kinds by id, `allocated` says how many objects each thread has made, init last.
 */
export function numberedName(id: number, names: readonly string[], allocated: Int32Array): string {
  if (id < 0) return '';
  const name = names[id];
  const creator = Math.min(MAX_THREADS, Math.floor(id / OBJECTS_PER_THREAD));
  const count = (maker: number, below: number): number => {
    const first = maker * OBJECTS_PER_THREAD;
    const end = Math.min(first + allocated[maker], below);
    let n = 0;
    for (let other = first; other < end; other++) if (names[other] === name) n++;
    return n;
  };
  let number = creator === MAX_THREADS ? 0 : count(MAX_THREADS, MAX_OBJECTS);
  for (let t = 0; t < creator && creator < MAX_THREADS; t++) number += count(t, MAX_OBJECTS);
  return `${name}#${number + count(creator, id) + 1}`;
}
