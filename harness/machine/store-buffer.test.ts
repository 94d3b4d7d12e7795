import t from 'tap';
import { Dpor } from '../explore/dpor.ts';
import { explore } from '../explore/explore.ts';
import {
  STORE_BUFFER_TOP,
  StoreBuffers,
  add,
  engine,
  newSpinLock,
  newWord,
  read,
  resetTasks,
  resetTimers,
  spinLock,
  spinUnlock,
  write,
  type Kernel,
  type SpinLock,
  type Word,
} from './index.ts';

interface Shared {
  readonly x: Word;
  readonly y: Word;
  readonly lock: SpinLock;
}

type Body = (shared: Shared, see: (value: number) => void) => Kernel<void>;

/** What the threads saw, in all executions: `T1 T2`. */
function outcomes(bodies: readonly Body[], tso: boolean): string[] {
  let shared: Shared | null = null;
  const seen: string[][] = bodies.map(() => []);
  const all = new Set<string>();
  explore(
    engine,
    {
      threads: bodies.length,
      *init(): Kernel<void> {
        resetTimers();
        resetTasks(bodies.length);
        engine.storeBuffers = tso
          ? new StoreBuffers(engine, bodies.length, STORE_BUFFER_TOP)
          : null;
        shared = { x: newWord('x', 0), y: newWord('y', 0), lock: newSpinLock('l') };
      },
      *body(thread: number): Kernel<void> {
        seen[thread] = [];
        if (shared !== null) yield* bodies[thread](shared, (v) => seen[thread].push(String(v)));
      },
    },
    new Dpor(engine),
    (end) => {
      t.equal(end, 'done');
      all.add(seen.map((values) => values.join('')).join(' '));
    },
  );
  engine.storeBuffers = null;
  return [...all].sort();
}

/** Dekker's handshake: store to one's own flag, look at the other's. */
function* left({ x, y }: Shared, see: (v: number) => void): Kernel<void> {
  yield* write(x, 1, 'store x');
  see(yield* read(y, 'load y'));
}

function* right({ x, y }: Shared, see: (v: number) => void): Kernel<void> {
  yield* write(y, 1, 'store y');
  see(yield* read(x, 'load x'));
}

const SEQUENTIAL = ['0 1', '1 0', '1 1'];

t.test('with store buffers both threads can miss the store of the other', (t) => {
  t.strictSame(outcomes([left, right], false), SEQUENTIAL);
  t.strictSame(outcomes([left, right], true), ['0 0', ...SEQUENTIAL]);
  t.end();
});

t.test('a locked instruction between store and load empties the buffer', (t) => {
  function* fencedLeft({ x, y, lock }: Shared, see: (v: number) => void): Kernel<void> {
    yield* write(x, 1, 'store x');
    yield* spinLock(lock, 'lock');
    see(yield* read(y, 'load y'));
    yield* spinUnlock(lock, 'unlock');
  }
  function* fencedRight({ x, y }: Shared, see: (v: number) => void): Kernel<void> {
    yield* write(y, 1, 'store y');
    yield* add(y, 0, 'mb');
    see(yield* read(x, 'load x'));
  }
  t.strictSame(outcomes([fencedLeft, fencedRight], true), SEQUENTIAL);
  t.strictSame(outcomes([fencedLeft, right], true), ['0 0', ...SEQUENTIAL], 'one fence is too few');
  t.end();
});

t.test('stores of one thread reach memory in order, and it sees its own at once', (t) => {
  function* writer({ x, y }: Shared, see: (v: number) => void): Kernel<void> {
    yield* write(x, 1, 'data');
    yield* write(x, 2, 'data');
    yield* write(y, 1, 'flag');
    see(yield* read(x, 'own'));
  }
  function* reader({ x, y }: Shared, see: (v: number) => void): Kernel<void> {
    see(yield* read(y, 'flag'));
    see(yield* read(x, 'data'));
  }
  t.strictSame(outcomes([writer, reader], true), ['2 00', '2 01', '2 02', '2 12']);
  t.end();
});
