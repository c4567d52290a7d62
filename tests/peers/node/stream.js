'use strict';

// A function that streams what its event says: the texts of `chunks`, one
// after the other. Before each but the first it waits until the file `gate` is
// there, if the event names one. Then it does what `then` says; without it, it
// ends the stream.

const fs = require('node:fs');
const { once } = require('node:events');

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function pass(gate) {
  while (gate !== undefined && !fs.existsSync(gate)) {
    await sleep(5);
  }
}

exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event.fail) {
    throw new RangeError(event.fail);
  }
  if (event.type) {
    stream.setContentType(event.type);
  }
  const { chunks = [], gate } = event;
  for (const [n, chunk] of chunks.entries()) {
    if (n > 0) {
      await pass(gate);
    }
    if (!stream.write(chunk)) {
      await once(stream, 'drain');
    }
  }
  switch (event.then) {
    case 'throw':
      await pass(gate);
      throw new RangeError('boom');
    case 'exit':
      await pass(gate);
      return process.exit(3);
    case 'hang':
      return sleep(3_600_000);
    case 'print':
      stream.end();
      console.log('printed after the end');
      return undefined;
    default:
      stream.end();
      return undefined;
  }
});
