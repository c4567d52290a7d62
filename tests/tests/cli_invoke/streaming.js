'use strict';

// Streams a response in the way its event's `do` field says. Where it has to wait for the test, it
// waits for a file.

const fs = require('node:fs');
const { once } = require('node:events');

const PIECE = Buffer.alloc(64 * 1024, 'x');

const fileIsThere = async (file) => {
  while (!fs.existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 5));
};

exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
  console.log(`streaming: ${event.do}`);
  switch (event.do) {
    case 'wait':
      stream.write('first\n');
      await fileIsThere(event.file);
      stream.write('second');
      break;
    case 'fail':
      stream.write('begun\n');
      await fileIsThere(event.file);
      throw new RangeError('boom');
    case 'fail-at-once':
      throw new RangeError('boom');
    case 'exit':
      stream.write('begun\n');
      await fileIsThere(event.file);
      return process.exit(3);
    case 'hang':
      stream.write('begun\n');
      return new Promise(() => setInterval(() => {}, 1000));
    case 'nothing':
      break;
    case 'context':
      stream.write(JSON.stringify(context.clientContext ?? null));
      break;
    case 'much':
      for (let n = 1; n <= event.pieces; n += 1) {
        if (!stream.write(PIECE)) await once(stream, 'drain');
        fs.writeFileSync(event.progress, String(n));
      }
      await fileIsThere(event.file);
      break;
  }
  stream.end();
});
