/** The model target: a program on a model kernel, explored. */

import { kernelIdOf, syscallOf } from '../abi/index.ts';
import { strategyNamed } from '../explore/strategies.ts';
import type { BuiltKernel } from '../kernel/kernel.ts';
import { buildKernel, listKernels as listSeries, parseKernelSpec } from '../kernel/series/index.ts';
import type { Program } from '../program/program.ts';
import { Sanitizers } from '../sanitizers/index.ts';
import { Confirmer } from './confirm.ts';
import { explainRun, type ToExplain } from './counterexample.ts';
import { Exploration } from './exploration.ts';
import { isModelled } from './model-calls.ts';
import { ModelRun } from './model-run.ts';
import { refusalOfSlots } from './model-slots.ts';
import type { Behaviour, FoundFinding, RunOptions, Target } from './target.ts';
import type { CounterexampleView } from '../history/counterexample.ts';

/** A kernel of the catalogue, for lists. */
export interface KernelEntry {
  /** `2.5.44+sys_epoll-v11`. */
  readonly spec: string;
  readonly title: string;
  /** Seed documents that it is built from. */
  readonly documents: readonly string[];
  /** Runs every program that does not say where it belongs. */
  readonly primary: boolean;
}

const PRIMARY = new Set(['2.5.44+sys_epoll-v11', '2.6.20']);

/** Every kernel that the series table knows. */
export function listKernels(): KernelEntry[] {
  return listSeries().map(({ spec, title, seed }) => ({
    spec,
    title,
    documents: seed === null ? [] : [seed],
    primary: PRIMARY.has(spec),
  }));
}

export interface ModelOptions {
  /** Ticks per second; 1000 if absent. */
  readonly hz?: number;
}

export class ModelTarget implements Target {
  readonly name: string;
  readonly selector: string;
  private readonly kernel: BuiltKernel;
  private readonly hz: number;

  constructor(spec: string, options: ModelOptions) {
    this.kernel = buildKernel(parseKernelSpec(spec));
    this.selector = this.kernel.spec;
    this.name = `model:${this.selector}`;
    this.hz = options.hz ?? 1000;
  }

  refuses(program: Program): string | null {
    const id = kernelIdOf(this.selector);
    for (const call of [...program.init, ...program.threads.flat()]) {
      const spec = syscallOf(call.name);
      if (spec === null || !isModelled(call.name)) return `${call.name}() is not modelled`;
      if (!spec.exists(id))
        return `${call.name}() does not exist on ${this.selector}: it is on ${spec.where}`;
    }
    return refusalOfSlots(program, this.selector);
  }

  run(program: Program, options: RunOptions): Behaviour {
    return this.exploration(program, options).behaviour();
  }

  /** The same, some executions with each `next`: nothing else may be run on a model in between. */
  slices(program: Program, options: RunOptions): Generator<undefined, Behaviour> {
    return this.exploration(program, options).slices(true);
  }

  /** An exploration that somebody else leads, branch by branch. */
  exploration(program: Program, options: RunOptions): Exploration {
    const entry = strategyNamed(options.strategy ?? 'dpor');
    return new Exploration(this.name, program, this.modelRun(program, options), entry, options);
  }

  /** The scenario of a program on this kernel. */
  modelRun(program: Program, options: RunOptions): ModelRun {
    return new ModelRun(program, this.kernel, {
      hz: this.hz,
      faults: options.faults ?? 0,
      timers: options.timers ?? 'idle',
      memory: options.memory ?? 'sc',
    });
  }

  /** The finding of a sampled program in the shortest run that small changes of its schedule come to. */
  shortened(program: Program, found: FoundFinding, options: RunOptions): FoundFinding {
    const { schedule, fewest } = found;
    if (schedule === undefined || fewest !== 'found') return found;
    const confirmer = new Confirmer(
      this.modelRun(program, options),
      program,
      new Sanitizers(),
      options.checks,
    );
    const { finding, history } = found;
    const shorter = confirmer.shortened({ finding, schedule, history, isBest: false });
    return {
      ...found,
      finding: shorter.finding,
      schedule: shorter.schedule,
      history: shorter.history,
    };
  }

  /** One run of the program, told step by step. */
  explain(program: Program, what: ToExplain): CounterexampleView {
    const options = what.options ?? {};
    return explainRun(this.modelRun(program, options), program, what, options.checks);
  }
}

/** Opens a model by kernel spec; throws a RangeError with one line for a spec that cannot be. */
export function modelTarget(spec: string, options: ModelOptions = {}): ModelTarget {
  return new ModelTarget(spec, options);
}
