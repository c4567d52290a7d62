'use strict';

// Greets whoever the event names: `{"name": "Ada"}` answers
// `{"message": "Hello, Ada!"}`.
exports.handler = async (event) => ({
  message: `Hello, ${event.name ?? 'world'}!`,
});
