import { openStore } from '../open-store.ts';
import { storeSpecSchema } from '../store-spec.ts';

/** The child of the crash test: uploads a file and says so; it is killed before it can. */
const [spec, path] = process.argv.slice(2);
const store = await openStore(storeSpecSchema.parse(JSON.parse(spec!)));
await store.putFile('prod/large', path!);
process.stdout.write('done\n');
