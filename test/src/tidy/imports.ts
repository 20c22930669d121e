/**
 * The module names that a source file imports. TypeScript 7 offers no parser to programs; statements begin a line in
 * formatted code, so that samples inside string literals are not mistaken for imports.
 */
export function importsOf(source: string): string[] {
  const statements = source.matchAll(
    /^[ \t]*(?:import|export)\b(?:[^'";]*?\bfrom)?\s*(?<quote>['"])(?<name>[^'"\n]+)\k<quote>/gm,
  );
  const calls = source.matchAll(/\b(?:import|require)\(\s*(?<quote>['"])(?<name>[^'"\n]+)\k<quote>\s*[,)]/g);
  return [...statements, ...calls].map((match) => match.groups?.['name'] ?? '');
}
