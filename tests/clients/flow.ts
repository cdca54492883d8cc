// A conversation through the generated types: it compiles only while they say what is so.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const baseUrl = process.argv[2] ?? "http://127.0.0.1:8000";
const api = createClient<paths>({ baseUrl });

function must<T>(result: { data?: T; error?: unknown; response: Response }): T {
  if (result.data === undefined) {
    throw new Error(`${result.response.status} ${JSON.stringify(result.error)}`);
  }
  return result.data;
}

const account = { username: "tess", email: "tess@example.org", password: "Tall-Green-Kettle-58" };
must(await api.POST("/api/auth/register/", { body: account }));
const login = must(
  await api.POST("/api/auth/login/", {
    body: { username: account.username, password: account.password },
  }),
);
const headers = { Authorization: `Bearer ${login.access}` };
const session = must(await api.POST("/api/chat/sessions/", { headers, body: { title: "Typed" } }));
const exchange = must(
  await api.POST("/api/chat/sessions/{session_id}/messages/", {
    headers,
    params: { path: { session_id: session.id } },
    body: { content: "Where does the grey heron build its nest?" },
  }),
);
if (typeof exchange === "string") {
  throw new Error("a stream was not asked for");
}
const answer: components["schemas"]["MessageView"] = exchange.bot_message;
console.log(answer.status, answer.content);
