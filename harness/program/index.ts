/** Programs: data, text, validity, values. (The fast-check arbitraries are in `arbitrary/`.) */

export * from './program.ts';
export * from './result.ts';
export * from './syntax-error.ts';
export * from './meta.ts';
export * from './scope.ts';
export * from './text.ts';
export * from './print.ts';
export * from './validity.ts';
export * from './values.ts';
export * from './size.ts';
export * from './shrink.ts';
