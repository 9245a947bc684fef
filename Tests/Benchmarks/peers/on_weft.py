"""Weftline: `weft bench`, which has coordinator, workers and client of its own for each run."""

import json

from shared import Failure, Peer, SLOTS, WORKERS


class Weft(Peer):
    title = "Weftline"
    sizes = {"fanout": 100_000, "chain": 1_000, "layers": 10_000, "payload": 256, "spawn": 2_000}

    def install(self):
        if not self.weft.exists():
            raise Failure(f"there is no {self.weft}: swift build -c release --product weft")

    def version(self):
        return self.ask(self.weft, "--version").split()[-1]

    def _bench(self, shape, nodes):
        words = [self.weft, "bench", shape, "--nodes", nodes, "--workers", WORKERS,
                 "--slots", SLOTS, "--json"]
        return json.loads(self.ask(*words).splitlines()[-1])["wall_s"]

    def fanout(self, nodes):
        return self._bench("fanout", nodes)

    def chain(self, nodes):
        return self._bench("chain", nodes)

    def layers(self, nodes):
        return self._bench("layers", nodes)

    def payload(self, nodes):
        return self._bench("payload", nodes)

    def spawn(self, nodes):
        return self._bench("spawn", nodes)
