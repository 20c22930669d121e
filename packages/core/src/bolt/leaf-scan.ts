import type { PageSource } from './block-cache.ts';
import { boltDamaged, compareBytes, TREE_DEPTH_MAX } from './format.ts';
import { Page, type LeafView } from './page.ts';

/**
 * All leaves of a tree in key order, with as little work per leaf as possible: leaves are looked at inside the block cache.
 * A view is valid until the next step or the next read of the same file, whichever comes first.
 * @throws EtcdOpsError BOLT_DAMAGED naming the page and the rule; a file with circular references ends here too.
 */
export function* scanLeaves(
  source: PageSource,
  rootPage: number,
  fromKey?: Uint8Array,
): Generator<LeafView, void, undefined> {
  const branches: Page[] = [];
  const positions: number[] = [];
  const current = new Page();
  let depth = 0;
  let seeking = fromKey;
  let lastKey = Buffer.allocUnsafe(64);
  let lastKeyBytes = 0;
  let next = rootPage;
  for (;;) {
    source.load(next, current, false);
    if (!current.isLeaf) {
      if (depth >= TREE_DEPTH_MAX) {
        throw boltDamaged(source.path, next, `the tree is deeper than ${TREE_DEPTH_MAX} levels`);
      }
      const branch = (branches[depth] ??= new Page());
      source.load(next, branch, true);
      const position = seeking === undefined ? 0 : branch.childIndexFor(seeking);
      positions[depth++] = position;
      next = branch.child(position);
      continue;
    }
    if (current.count === 0 && depth > 0) throw boltDamaged(source.path, next, 'a leaf below a branch is empty');
    if (current.count > 0) {
      // Progress in key order is what ends a scan of circular references.
      const start = current.keyOffset(0);
      if (compareBytes(current.buffer, start, start + current.keyLength(0), lastKey, 0, lastKeyBytes) <= 0) {
        throw boltDamaged(source.path, next, 'its keys do not follow those of the leaf before it');
      }
      const last = current.count - 1;
      lastKeyBytes = current.keyLength(last);
      if (lastKeyBytes > lastKey.length) lastKey = Buffer.allocUnsafe(lastKeyBytes);
      const offset = current.keyOffset(last);
      for (let index = 0; index < lastKeyBytes; index++) lastKey[index] = current.buffer[offset + index]!;
    }
    current.first = seeking === undefined ? 0 : current.lowerBound(seeking);
    seeking = undefined;
    if (current.first < current.count) yield current;
    while (depth > 0 && positions[depth - 1]! + 1 >= branches[depth - 1]!.count) depth--;
    if (depth === 0) return;
    next = branches[depth - 1]!.child(++positions[depth - 1]!);
  }
}
