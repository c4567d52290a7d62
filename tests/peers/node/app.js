'use strict';

// Functions that the tests run behind the emulator.
//
// `act` does what its event's `do` field says; the Python and Rust functions
// know the same words, as far as their languages can.

// What the emulator owes every function; `env` answers with everything else.
const SELECTED = [
  'AWS_LAMBDA_FUNCTION_NAME',
  'AWS_LAMBDA_FUNCTION_VERSION',
  'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
  'AWS_LAMBDA_INITIALIZATION_TYPE',
  'AWS_LAMBDA_RUNTIME_API',
  'AWS_EXECUTION_ENV',
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
  'LAMBDA_TASK_ROOT',
  'LAMBDA_RUNTIME_DIR',
  'TZ',
  '_HANDLER',
];

const sleep = (seconds) =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000));

exports.echo = async (event) => event;

exports.act = async (event, context) => {
  switch (event?.do) {
    case 'echo':
      return event.value;
    case 'error':
      throw new RangeError('boom');
    case 'exit':
      return process.exit(event.code ?? 1);
    case 'signal':
      process.kill(process.pid, event.n);
      // An ignored signal, or one that is delivered late, must not answer.
      return sleep(60);
    case 'sleep':
      await sleep(event.seconds);
      return { slept: event.seconds };
    case 'big':
      return 'x'.repeat(event.n);
    case 'opaque':
      // What JSON cannot hold: the client has to report a marshalling error.
      return { value: 1n };
    case 'print':
      console.log(event.text);
      return null;
    case 'context':
      return describe(context);
    case 'env':
      return { ...process.env };
    default:
      return event;
  }
};

function describe(context) {
  return {
    aws_request_id: context.awsRequestId,
    remaining_time_in_millis: context.getRemainingTimeInMillis(),
    invoked_function_arn: context.invokedFunctionArn,
    function_name: context.functionName,
    function_version: context.functionVersion,
    memory_limit_in_mb: context.memoryLimitInMB,
    log_group_name: context.logGroupName,
    log_stream_name: context.logStreamName,
    // The custom part is spelled either way by the SDKs.
    client_context_custom:
      context.clientContext?.custom ?? context.clientContext?.Custom ?? null,
    tenant_id: context.tenantId ?? null,
    trace_id: process.env._X_AMZN_TRACE_ID ?? null,
    environ: Object.fromEntries(
      SELECTED.filter((name) => name in process.env).map((name) => [
        name,
        process.env[name],
      ]),
    ),
  };
}
