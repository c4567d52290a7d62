'use strict';

// Web sites for a function's URL: `whole` returns its responses, `streamed`
// streams them. The path says what to do.
//
// A stream has to be written to before it ends: the client sends what
// `HttpResponseStream.from` was given with the first write, and with `end` never.

const fs = require('node:fs');
const { once } = require('node:events');

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function pass(gate) {
  while (!fs.existsSync(gate)) {
    await sleep(5);
  }
}

exports.whole = async (event) => {
  const query = event.queryStringParameters ?? {};
  switch (event.rawPath) {
    case '/object':
      return {
        statusCode: 203,
        headers: { 'Content-Type': 'text/plain', 'X-Custom': 'one' },
        cookies: ['b=2; Path=/', 'a=1'],
        body: 'an object',
      };
    case '/text':
      return 'a bare "text"';
    case '/nothing':
      return undefined;
    case '/image':
      // What came in base64 goes back in base64.
      return {
        statusCode: 200,
        headers: { 'content-type': 'image/png' },
        body: event.body,
        isBase64Encoded: event.isBase64Encoded,
      };
    case '/many':
      return {
        statusCode: 200,
        multiValueHeaders: { 'x-many': ['1', '2'], 'set-cookie': ['c=3', 'd=4'] },
        body: { a: 1 },
      };
    case '/no-content':
      return { statusCode: 204, body: 'nobody sees this' };
    case '/no-status':
      return { statusCode: 'fine', body: 'nobody sees this' };
    case '/large':
      return 'x'.repeat(Number(query.n));
    case '/throw':
      throw new RangeError('a secret');
    case '/exit':
      return process.exit(3);
    case '/hang':
      return sleep(3_600_000);
    case '/gated':
      await pass(query.gate);
      return 'open';
    default:
      return event;
  }
};

// What the browser's page of `streamed` runs: a request of the page's own, one
// that streams, and word of both to the address that the parameter says.
const PAGE = `<!doctype html><title>A page</title><h1>waiting</h1><script>
const tell = (path, body) =>
  fetch(parameters.get('tell') + path, { method: 'POST', mode: 'no-cors', body });
const parameters = new URLSearchParams(location.search);
(async () => {
  const json = await (await fetch('/json', { method: 'PUT', body: 'grüße' })).json();
  const stream = await fetch('/gated?gate=' + encodeURIComponent(parameters.get('gate')));
  const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (text === '') await tell('/first', value);
    text += value;
  }
  const h1 = document.querySelector('h1');
  h1.textContent = text;
  await tell('/end', JSON.stringify({ h1: h1.textContent, cookie: document.cookie, json }));
})().catch((error) => tell('/end', JSON.stringify({ error: String(error) })));
</script>`;

exports.streamed = globalThis.awslambda?.streamifyResponse(async (event, stream) => {
  const query = event.queryStringParameters ?? {};
  const begin = (metadata) => awslambda.HttpResponseStream.from(stream, metadata);
  switch (event.rawPath) {
    case '/page': {
      const page = begin({
        statusCode: 200,
        headers: { 'content-type': 'text/html; charset=utf-8' },
        cookies: ['seen=1; Path=/', 'hidden=2; Path=/; HttpOnly'],
      });
      page.write(PAGE);
      page.end();
      return;
    }
    case '/json': {
      const { cookies, body } = event;
      const response = begin({ headers: { 'content-type': 'application/json' } });
      response.write(JSON.stringify({ cookies, body }));
      response.end();
      return;
    }
    case '/gated': {
      const response = begin({
        statusCode: 206,
        headers: { 'content-type': 'text/plain', 'x-custom': 'one' },
        cookies: ['b=2; Path=/', 'a=1'],
      });
      response.write('before ');
      await pass(query.gate);
      response.end('after');
      return;
    }
    case '/raw':
      stream.write(Buffer.from([0xff, 0, 1]));
      stream.end();
      return;
    case '/no-content': {
      const response = begin({ statusCode: 204 });
      response.write('nobody sees this');
      response.end();
      return;
    }
    case '/throw':
      throw new RangeError('a secret');
    case '/throw-late': {
      const response = begin({ statusCode: 200 });
      response.write('before ');
      await pass(query.gate);
      throw new RangeError('a secret');
    }
    case '/endless': {
      const response = begin({ statusCode: 200 });
      // Until the test has seen enough of it.
      while (!fs.existsSync(query.gate)) {
        if (!response.write('x'.repeat(65536))) {
          await once(response, 'drain');
        }
      }
      response.end();
      return;
    }
    default:
      stream.end('something else');
  }
});
