import { openStore } from '../../storage/open-store.ts';
import { storeSpecSchema } from '../../storage/store-spec.ts';
import { copyRepository } from '../copy-repository.ts';

/** The child of the crash test: copies, and is killed before it can end. */
const [cluster, ...specs] = process.argv.slice(2);
const [source, target] = await Promise.all(
  specs.map(async (spec) => await openStore(storeSpecSchema.parse(JSON.parse(spec)))),
);
await copyRepository({ source: source!, target: target!, cluster: cluster!, parallel: 1 });
process.stdout.write('done\n');
