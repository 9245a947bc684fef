"""Dask: a scheduler and workers as processes; graphs are given whole, and results stay where they
were made unless another node wants them."""

import importlib.metadata
import itertools
import time

from shared import Failure, PAYLOAD, Peer, SLOTS, WORKERS, layered, wait_until

ADDRESS = "tcp://127.0.0.1:8786"


def noop(*_):
    return None


def payload(*_):
    return bytes(PAYLOAD)


def size(parts):
    return sum(len(part) for part in parts)


class Dask(Peer):
    title = "Dask"
    python_packages = ["dask[distributed]"]
    sizes = {"fanout": 3_000, "chain": 200, "layers": 3_000, "payload": 256}
    reasons = {"spawn": "runs functions"}
    remarks = {"payload": "Workers send values to each other, not through the scheduler."}

    def version(self):
        return importlib.metadata.version("distributed")

    def start(self):
        from distributed import Client

        dask = self.folder.venv / "bin" / "dask"
        here = ["--host", "127.0.0.1", "--no-dashboard"]
        self.launch(dask, "scheduler", *here, "--port", "8786", cwd=self.scratch)
        for number in range(WORKERS):
            self.launch(dask, "worker", ADDRESS, *here, "--no-nanny", "--nthreads", SLOTS,
                        "--local-directory", self.scratch / f"worker-{number}")
        self.client = Client(ADDRESS, timeout=60)
        self.client.wait_for_workers(WORKERS, timeout=60)
        self.names = (f"run-{number}" for number in itertools.count())

    def _run(self, graph, wanted):
        from distributed import wait

        start = time.perf_counter()
        futures = self.client.get(graph, wanted, sync=False)
        wait(futures)
        seconds = time.perf_counter() - start
        if any(future.status != "finished" for future in futures):
            raise Failure("a task failed")
        for future in futures:
            future.release()
        wait_until(lambda: not self.client.futures, "forgetting results")
        return seconds

    def fanout(self, nodes):
        run = next(self.names)
        graph = {(run, node): (noop,) for node in range(nodes)}
        return self._run(graph, list(graph))

    def chain(self, nodes):
        run = next(self.names)
        graph = {(run, 0): (noop,)}
        graph.update({(run, node): (noop, (run, node - 1)) for node in range(1, nodes)})
        return self._run(graph, [(run, nodes - 1)])

    def layers(self, nodes):
        run = next(self.names)
        graph = {(run, node): (noop, *((run, before) for before in layered(node)))
                 for node in range(nodes)}
        return self._run(graph, list(graph))

    def payload(self, nodes):
        run = next(self.names)
        graph = {(run, node): (payload,) for node in range(nodes)}
        graph[(run, nodes)] = (size, [(run, node) for node in range(nodes)])
        return self._run(graph, [(run, nodes)])
