/** Arbitraries of kernel specs. */

import * as fc from 'fast-check';

/** A base kernel and the patches that apply to it, in the order they apply. */
export interface KernelChoice {
  readonly base: string;
  /** Always part of the spec. */
  readonly required: readonly string[];
  /** Each may be left out. */
  readonly optional: readonly string[];
}

/** The kernels with epoll that are modelled. */
export const EPOLL_KERNELS: readonly KernelChoice[] = [
  { base: '2.6.20', required: [], optional: [] },
  {
    base: '2.5.44',
    required: ['sys_epoll-v11'],
    optional: ['epoll-acsem', 'epoll-add-and-test'],
  },
];

/** The kernels with AIO that are modelled. */
export const AIO_KERNELS: readonly KernelChoice[] = [
  { base: '2.6.20', required: [], optional: ['fs-aio'] },
  {
    base: '2.6.20',
    required: ['fs-aio', 'aio-epoll-wait'],
    optional: ['aio-fallback-nonblock', 'aio-epoll-timer-sync'],
  },
  { base: '3.1', required: [], optional: ['no-plug'] },
  { base: '3.1', required: ['kiocb-batch-v2'], optional: [] },
  { base: '3.1', required: ['kiocb-batch-v3'], optional: [] },
  {
    base: '3.1',
    required: ['kiocb-batch-v3', 'batch-accounting-fix'],
    optional: ['batch-wakeup-fix'],
  },
];

/** Specs such as `2.5.44+sys_epoll-v11+epoll-acsem`; they shrink to fewer patches. */
export function arbitraryKernelSpec(
  kernels: readonly KernelChoice[] = EPOLL_KERNELS,
): fc.Arbitrary<string> {
  const specs = kernels.map(({ base, required, optional }) =>
    fc
      .subarray([...optional], { minLength: 0, maxLength: optional.length })
      .map((chosen) => [base, ...required, ...chosen].join('+')),
  );
  return fc.oneof(...specs);
}
