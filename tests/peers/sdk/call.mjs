// Calls a function once, as a caller with the SDK of JavaScript would.
//
//     node call.mjs PACKAGE ENDPOINT FUNCTION_NAME PAYLOAD [stream] [Tail]
//
// PACKAGE is where @aws-sdk/client-lambda is installed. Prints JSON lines, as
// call.py does: of a stream, its head, every chunk when it comes, and how it
// was completed; of another call, its answer; of either, the exception that
// the SDK made of it.

import { createRequire } from 'node:module';

const [sdk, endpoint, FunctionName, Payload, ...words] = process.argv.slice(2);
const { InvokeCommand, InvokeWithResponseStreamCommand, LambdaClient } =
  createRequire(import.meta.url)(sdk);

const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const text = (bytes) => Buffer.from(bytes ?? []).toString('utf8');

const client = new LambdaClient({
  endpoint,
  region: 'us-east-1',
  credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' },
  // A retry would call the function twice and hide the first answer.
  maxAttempts: 1,
});
const request = {
  FunctionName,
  Payload,
  LogType: words.includes('Tail') ? 'Tail' : undefined,
};

async function invoke() {
  const answer = await client.send(new InvokeCommand(request));
  print({
    status: answer.StatusCode,
    function_error: answer.FunctionError ?? null,
    executed_version: answer.ExecutedVersion,
    log_result: answer.LogResult ?? null,
    request_id: answer.$metadata.requestId,
    payload: text(answer.Payload),
  });
}

async function stream() {
  const answer = await client.send(
    new InvokeWithResponseStreamCommand(request),
  );
  print({
    event: 'head',
    status: answer.StatusCode,
    executed_version: answer.ExecutedVersion,
    content_type: answer.ResponseStreamContentType ?? null,
    request_id: answer.$metadata.requestId,
  });
  for await (const event of answer.EventStream) {
    if (event.PayloadChunk) {
      print({ event: 'chunk', payload: text(event.PayloadChunk.Payload) });
    } else if (event.InvokeComplete) {
      const { ErrorCode, ErrorDetails, LogResult } = event.InvokeComplete;
      print({
        event: 'complete',
        error_code: ErrorCode ?? null,
        error_details: ErrorDetails ?? null,
        log_result: LogResult ?? null,
      });
    } else {
      print({ event: 'unknown', keys: Object.keys(event) });
    }
  }
}

try {
  await (words.includes('stream') ? stream() : invoke());
} catch (error) {
  print({
    event: 'exception',
    exception: error.name,
    code: error.name,
    status: error.$metadata?.httpStatusCode ?? null,
    type: error.Type ?? null,
    reason: error.Reason ?? null,
    request_id: error.$metadata?.requestId ?? null,
    message: error.message,
  });
}
