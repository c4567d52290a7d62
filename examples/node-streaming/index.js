'use strict';

const { setTimeout } = require('node:timers/promises');

// Greets whoever the event names, a word each quarter of a second: `{"name": "Ada"}` is answered
// with `Hello, Ada! This came word by word.`
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.setContentType('text/plain');
  const greeting = `Hello, ${event.name ?? 'world'}! This came word by word.\n`;
  for (const word of greeting.split(/(?<= )/)) {
    stream.write(word);
    await setTimeout(250);
  }
  stream.end();
});
