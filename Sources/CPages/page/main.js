// The beginning: a session, the stream of the cluster, the first view.

async function begin() {
  beginTheme();
  drawTabs();
  byId("help").addEventListener("click", openHelp);
  byId("link").addEventListener("click", () => clusterStream?.hurry());
  addEventListener("keydown", pressed);
  addEventListener("scroll", hideTip, { passive: true });
  if (!carried) {
    try {
      if (!(await session.begin())) return welcome("This page shows what a coordinator does. Open it with:");
    } catch (error) {
      return welcome(error.status === 401 ? "The ticket in the address was used before, or is too old. Ask for another one:" : `The coordinator says: ${shown(error.message)}`);
    }
    followCluster();
    let hiding;
    addEventListener("visibilitychange", () => {
      clearTimeout(hiding);
      if (document.hidden) hiding = setTimeout(() => clusterStream.pause(true), 60_000);
      else clusterStream.pause(false);
    });
  } else {
    document.body.classList.add("report");
    placeTools(carried.nodes.map((node) => ({ name: node.tool })));
  }
  document.body.classList.toggle("viewer", !session.mayOrder);
  addEventListener("hashchange", navigate);
  navigate();
  drawBar();
  return undefined;
}

// What a report adds to this script follows.
queueMicrotask(begin);
