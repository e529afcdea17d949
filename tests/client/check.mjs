// Named checks, in order; the first that fails, or takes too long, ends the program.

const PATIENCE = 180_000;
let passed = 0;

// Runs a check. `context` adds lines to the error of one that took too long.
export async function check(what, body, context = () => []) {
  let timer;
  const late = new Promise((_, reject) => {
    const say = () => reject(new Error([`not within ${PATIENCE / 1000} s`, ...context()].join('\n')));
    timer = setTimeout(say, PATIENCE);
  });
  try {
    await Promise.race([body(), late]);
    clearTimeout(timer);
    passed += 1;
    console.log(`ok    ${what}`);
  } catch (error) {
    console.log(`FAIL  ${what}\n${error.stack}\n${passed} passed, 1 failed`);
    process.exit(1);
  }
}

// All checks held.
export function finish() {
  console.log(`${passed} passed, 0 failed`);
  process.exit(0);
}
