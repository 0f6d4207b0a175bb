// Asking the console's server, and hearing from it.

let session = { role: "none", csrf: "" };

export class Failure extends Error {
  constructor(status, sentence, body = {}) {
    super(sentence);
    this.status = status;
    this.body = body;
  }
}

export function role() {
  return session.role;
}

export function mayControl() {
  return session.role === "control" && session.can_write !== false;
}

/** Who we are; asked at the start and after signing in. */
export async function readSession() {
  session = await get("session");
  return session;
}

export async function get(path, query = {}) {
  const words = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== ""));
  return answer(await reach(`/api/v1/${path}${words.size ? `?${words}` : ""}`, {}));
}

export async function post(path, body) {
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": session.csrf ?? "" };
  return answer(await reach(`/api/v1/${path}`, { method: "POST", headers, body: JSON.stringify(body) }));
}

async function reach(address, options) {
  try {
    return await fetch(address, { credentials: "same-origin", cache: "no-store", ...options });
  } catch {
    throw new Failure(0, "The console cannot be reached.");
  }
}

async function answer(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    if (response.ok) throw new Failure(response.status, "The answer is not understood.");
  }
  if (response.ok) return body;
  // A wrong password is no end of a session: whoever types it is told so.
  if (response.status === 401 && session.role !== "none") document.dispatchEvent(new CustomEvent("signed-out"));
  throw new Failure(response.status, body.error ?? `The console answered ${response.status}.`, body);
}

/** Many readers, one connection: topics are joined, and the connection comes back by itself. */
class Stream {
  constructor() {
    this.readers = new Map();
    this.source = null;
    this.listening = "";
    this.heardAt = 0;
  }

  /** Hear of a topic; returns how to stop. */
  listen(topic, reader) {
    const readers = this.readers.get(topic) ?? new Set();
    this.readers.set(topic, readers.add(reader));
    this.connect();
    return () => {
      readers.delete(reader);
      if (readers.size === 0) this.readers.delete(topic);
      this.connect();
    };
  }

  connect() {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.open(), 20);
  }

  open() {
    const wanted = [...this.readers.keys()].sort().join(",");
    if (wanted === this.listening && this.source && this.source.readyState !== EventSource.CLOSED) return;
    this.source?.close();
    this.listening = wanted;
    this.source = null;
    if (!wanted) return;
    const source = new EventSource(`/api/v1/stream?topics=${wanted}`);
    this.source = source;
    source.onopen = () => this.tell(true);
    source.onerror = () => this.broken(source);
    for (const topic of wanted.split(",")) {
      source.addEventListener(topic, (event) => {
        this.heardAt = Date.now();
        const value = JSON.parse(event.data);
        for (const reader of this.readers.get(topic) ?? []) reader(value);
      });
    }
  }

  broken(source) {
    this.tell(false);
    if (source.readyState !== EventSource.CLOSED) return;
    // A refusal ends an EventSource for good: perhaps we are signed out, perhaps the server is starting.
    this.source = null;
    clearTimeout(this.again);
    this.again = setTimeout(() => get("session").then((now) => {
      if (now.role === "none") document.dispatchEvent(new CustomEvent("signed-out"));
      else this.open();
    }).catch(() => this.broken(source)), 1500);
  }

  tell(connected) {
    document.dispatchEvent(new CustomEvent("connection", { detail: { connected } }));
  }
}

export const stream = new Stream();
