// node scripts/test-summary.ts <report directory> <exit code of the run>
import { judge, readTotals } from './test-totals.ts';

const [directory, exitCode] = process.argv.slice(2);
if (directory === undefined || exitCode === undefined) {
  throw new Error('usage: test-summary.ts <report directory> <exit code of the run>');
}
const verdict = judge(readTotals(directory), Number(exitCode));
console.log(verdict.lines.join('\n'));
process.exitCode = verdict.green ? 0 : 1;
