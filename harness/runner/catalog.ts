/** The targets of this build. Model and host are loaded when first asked for. */

import type { ExplainingTarget, KernelEntry, TargetCatalog, TargetOptions } from './targets.ts';

/** Opens the catalogue of this build. */
export async function openCatalog(): Promise<TargetCatalog> {
  const { listKernels } = await import('../target/model.ts');
  return new BuiltInCatalog(listKernels());
}

class BuiltInCatalog implements TargetCatalog {
  readonly kernels: readonly KernelEntry[];
  readonly #open = new Map<string, ExplainingTarget>();

  constructor(kernels: readonly KernelEntry[]) {
    this.kernels = kernels;
  }

  async open(name: string, options: TargetOptions): Promise<ExplainingTarget> {
    const key = `${name} ${options.hz ?? ''}`;
    const already = this.#open.get(key);
    if (already !== undefined) return already;
    const target = await openTarget(name, options);
    this.#open.set(key, target);
    return target;
  }
}

async function openTarget(name: string, options: TargetOptions): Promise<ExplainingTarget> {
  if (name === 'host') {
    const { openHostTarget } = await import('../target/host.ts');
    return await openHostTarget();
  }
  const { modelTarget } = await import('../target/model.ts');
  return modelTarget(name.replace(/^model:/, ''), options);
}
