// Follows the node: the web process pushes, this page never asks twice.

const AGAIN = 2000;

/** Call `handlers.status`, `.event`, `.trouble`, `.begin` with what comes; `.lost` when the connection is gone. */
export function follow(handlers) {
  const source = new EventSource("/api/v1/events");
  source.addEventListener("open", () => handlers.begin());
  for (const kind of ["status", "event", "trouble"]) {
    source.addEventListener(kind, (message) => handlers[kind](JSON.parse(message.data)));
  }
  source.addEventListener("error", async () => {
    handlers.lost();
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    if (await signedOut()) location.reload();
    else setTimeout(() => follow(handlers), AGAIN);
  });
}

async function signedOut() {
  try {
    return (await fetch("/openapi.json", { cache: "no-store" })).status === 401;
  } catch {
    return false;
  }
}
