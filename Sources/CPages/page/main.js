// The beginning of the page: a session from the ticket in the address, then the status.
const main = document.getElementById("main");

async function session() {
  const ticket = new URLSearchParams(location.hash.slice(1)).get("ticket");
  if (!ticket) return JSON.parse(sessionStorage.getItem("weft-session") ?? "null");
  history.replaceState(null, "", location.pathname);
  const reply = await fetch("/v1/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ticket }),
  });
  if (!reply.ok) return null;
  const made = await reply.json();
  sessionStorage.setItem("weft-session", JSON.stringify(made));
  return made;
}

const own = await session();
if (!own) {
  main.textContent = "Open this page with `weft dashboard`.";
} else {
  const reply = await fetch("/v1/status", { headers: { Authorization: `Bearer ${own.token}` } });
  main.textContent = JSON.stringify(await reply.json(), null, 2);
}
