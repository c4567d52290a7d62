'use strict';

// A small web site: a page that greets, the JSON that it asks for, and a cookie
// that counts the visits. An event is a request in payload format 2.0.

const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>Hello</title>
<form><input name="name" placeholder="Who are you?"> <button>Greet</button></form>
<h1></h1>
<p></p>
<script>
  const greet = async (query) => {
    const response = await fetch('/hello?' + query);
    const { message, visits } = await response.json();
    document.querySelector('h1').textContent = message;
    document.querySelector('p').textContent = 'Visits: ' + visits;
  };
  document.querySelector('form').addEventListener('submit', (event) => {
    event.preventDefault();
    greet(new URLSearchParams(new FormData(event.target)));
  });
  greet('');
</script>
`;

exports.handler = async (event) => {
  switch (`${event.requestContext.http.method} ${event.rawPath}`) {
    case 'GET /':
      return {
        statusCode: 200,
        headers: { 'content-type': 'text/html; charset=utf-8' },
        cookies: [`visits=${visits(event) + 1}; Path=/; HttpOnly`],
        body: PAGE,
      };
    case 'GET /hello': {
      const name = event.queryStringParameters?.name || 'world';
      // Anything without a status code is answered as JSON.
      return { message: `Hello, ${name}!`, visits: visits(event) };
    }
    default:
      return { statusCode: 404, headers: { 'content-type': 'text/plain' }, body: 'Not found\n' };
  }
};

function visits(event) {
  const cookie = event.cookies?.find((cookie) => cookie.startsWith('visits='));
  return Number(cookie?.slice('visits='.length)) || 0;
}
