// Changes a link of the running node, as `alagg link` does.

/** Block a link, or use it again; gives what went wrong, nothing when it is done. */
export async function setBlocked(link, blocked) {
  const path = `/api/v1/links/${encodeURIComponent(link.peer)}/${encodeURIComponent(link.name)}`;
  const headers = { "content-type": "application/json" };
  try {
    const answer = await fetch(path, { method: "PATCH", headers, body: JSON.stringify({ blocked }) });
    return answer.ok ? "" : String((await answer.json()).detail);
  } catch {
    return "no connection to the web process";
  }
}
