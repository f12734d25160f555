// Commands come in as JSON lines, answers and events go out the same way.
import readline from 'node:readline';

export function write(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

// Performs each command as it comes; calls `close` and exits when the input ends.
export function serve(perform, close) {
  const lines = readline.createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const command = JSON.parse(line);
    perform(command)
      .catch((error) => ({ error: String(error) }))
      .then((answer) => write({ id: command.id, ...answer }));
  });
  lines.on('close', async () => {
    await close();
    process.exit(0);
  });
  write({ ready: true });
}
