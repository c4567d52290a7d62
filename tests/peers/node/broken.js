'use strict';

// A function that cannot be loaded: its import fails before a handler exists.
const missing = require('a-module-that-does-not-exist');

exports.echo = async (event) => missing.echo(event);
