import t from 'tap';
import { Scripted, type Tiny, tinyScenario } from './scripted.ts';
import {
  Guarded,
  List,
  ListLink,
  NO_OBSERVER,
  Ref,
  RwSem,
  SideTable,
  engine,
  keepState,
  kmalloc,
  newSemaphore,
  newSpinLock,
  newWaitQueue,
  newWord,
  read,
  write,
  type Scenario,
} from './index.ts';
import { Snapshot, beginInit, beginThreads, changing } from './snapshot.ts';

class Box {
  text = 'a';
  number = 1;
  readonly list: (number | string)[] = [1, 2];
  readonly map = new Map<string, object>([['k', { deep: 1 }]]);
  readonly set = new Set([1, 2]);
  readonly words = new Int32Array([1, 2]);
  other: Box | null = null;
}

function snapshotOf(...objects: readonly object[]): Snapshot {
  beginInit();
  keepState(...objects.map((object) => () => object));
  return new Snapshot();
}

t.test('everything reachable is as it was', (t) => {
  const box = new Box();
  box.other = new Box();
  box.other.other = box;
  const frozen = Object.freeze({ inner: { n: 1 } });
  const snapshot = snapshotOf(box, frozen);
  const before = structuredClone(box);
  for (let round = 0; round < 2; round++) {
    const inner = box.other;
    if (inner !== null) inner.text = 'changed';
    box.number = 1.5;
    box.list.push('more');
    box.list[0] = 9;
    box.words[1] = 7;
    box.map.delete('k');
    box.map.set('x', {});
    box.map.set('k', {});
    box.set.delete(1);
    box.other = null;
    frozen.inner.n++;
    snapshot.restore();
    t.same(box, before);
    t.same([...box.map.keys()], ['k']);
    t.equal(frozen.inner.n, 1);
    box.list.length = 0;
    box.set.clear();
    box.map.clear();
    snapshot.restore();
    t.same(box, before);
    t.same([...box.set], [1, 2], 'also the order');
  }
  t.end();
});

t.test('what never changes is known by its fields', (t) => {
  const state = (object: object): readonly string[] => changing(object);
  t.same(state(newWord('w', 0)), []);
  t.same(state(newSpinLock('l')), []);
  t.same(state(newSemaphore('s', 1)), []);
  t.same(state(newWaitQueue('q')), []);
  t.same(state(new Guarded('g')), []);
  t.same(state(new RwSem('r')), ['active']);
  t.same(state(kmalloc('m', 'site')), ['freed', 'freeSite', 'permanent']);
  t.same(state(new Ref('r', null)), ['value']);
  t.same(state(new List()), ['next', 'prev']);
  t.same(state(new ListLink(null)), ['next', 'prev']);
  t.end();
});

t.test('what cannot be put back is refused', (t) => {
  t.throws(() => snapshotOf({ running: (function* () {})() }), { message: /Generator/ });
  t.throws(() => snapshotOf({ hidden: new WeakMap() }), { message: /WeakMap/ });
  let variable = { n: 1 };
  beginInit();
  keepState(() => variable);
  const snapshot = new Snapshot();
  variable = { n: 1 };
  t.throws(() => snapshot.restore(), { message: /replaced/ });
  t.end();
});

t.test('a side table has what init and this execution entered', (t) => {
  const table = new SideTable<object, number>();
  const [early, late] = [{}, {}];
  beginInit();
  table.set(early, 1);
  t.equal(table.get(early), 1);
  beginThreads();
  table.set(late, 2);
  t.same([table.get(early), table.get(late)], [1, 2]);
  beginThreads();
  t.same([table.get(early), table.get(late)], [1, undefined]);
  beginInit();
  t.same([table.get(early), table.get(late)], [undefined, undefined]);
  t.end();
});

/** Two threads write to a word and a list that init made; init counts how often it runs. */
function counting(seen: string[]): { readonly scenario: Scenario; inits(): number } {
  let word = newWordLater();
  let list: string[] = [];
  let inits = 0;
  function newWordLater(): ReturnType<typeof newWord> {
    return { id: 0, mem: null, name: '' };
  }
  const tiny: Tiny = {
    build: () => {
      inits++;
      word = newWord('w', 5);
      list = ['init'];
      keepState(
        () => word,
        () => list,
      );
    },
    threads: ['a', 'b'].map(
      (name) =>
        function* () {
          const old = yield* write(word, name === 'a' ? 1 : 2, 'w');
          list.push(`${name}${old}`);
          yield* read(word, 'r');
          seen.push(list.join(' '));
        },
    ),
  };
  return { scenario: { ...tinyScenario(tiny), repeatable: true }, inits: () => inits };
}

t.test('a scenario that is run often runs its init a few times only', (t) => {
  const seen: string[] = [];
  const { scenario, inits } = counting(seen);
  engine.observer = NO_OBSERVER;
  engine.forget();
  for (let run = 0; run < 20; run++) engine.execute(scenario, new Scripted());
  t.ok(inits() < 15);
  t.equal(new Set(seen.filter((_, i) => i % 2 === 1)).size, 1, 'each run starts from the same');

  const once = inits();
  engine.alwaysInit = true;
  engine.execute(scenario, new Scripted());
  engine.alwaysInit = false;
  t.equal(inits(), once + 1);

  for (let run = 0; run < 20; run++) engine.execute(scenario, new Scripted());
  const later = inits();
  engine.execute(counting([]).scenario, new Scripted());
  engine.execute(scenario, new Scripted());
  t.equal(inits(), later + 1, 'another scenario in between ends it');

  engine.observer = { ...NO_OBSERVER, initDone: () => false };
  for (let run = 0; run < 20; run++) engine.execute(scenario, new Scripted());
  t.equal(inits(), later + 21, 'an observer that needs to see init sees it every time');
  engine.observer = NO_OBSERVER;
  t.end();
});
