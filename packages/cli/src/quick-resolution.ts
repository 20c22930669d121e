import { registerHooks } from 'node:module';

const ZOD = '/node_modules/zod/';

/**
 * Answers at once where a module lies whose name says it already: Node would look for each file, its real path and the package.json
 * above it, which takes a quarter of the time in which a command starts. All else is resolved as ever.
 *
 * `.ts` files are ours, and tidy rules see to it that relative names are complete. Of the libraries, only zod has many files.
 */
export function resolveQuickly(): void {
  registerHooks({
    resolve: (name, context, next) => {
      if (name.startsWith('node:')) return { url: name, format: 'builtin', shortCircuit: true };
      const { parentURL } = context;
      if (parentURL !== undefined && name.startsWith('.')) {
        const url = (): string => new URL(name, parentURL).href;
        if (name.endsWith('.ts')) return { url: url(), format: 'module-typescript', shortCircuit: true };
        if (name.endsWith('.js') && parentURL.includes(ZOD) && parentURL.endsWith('.js')) {
          return { url: url(), format: 'module', shortCircuit: true };
        }
      }
      return next(name, context);
    },
  });
}
