"""HyperQueue: jobs of processes with dependencies. The package of PyPI holds server and workers as
a library and no program, so that they are threads of one process here."""

import itertools
import sys
import time

from shared import Failure, Peer, SLOTS, WORKERS, layered, wait_until

CLUSTER = """
import sys, time
from hyperqueue import LocalCluster
from hyperqueue.cluster import WorkerConfig
folder, ready, workers, cores = sys.argv[1:]
cluster = LocalCluster(folder)
for _ in range(int(workers)):
    cluster.start_worker(WorkerConfig(cores=int(cores)))
open(ready, "w").close()
while True:
    time.sleep(1)
"""


class HyperQueue(Peer):
    title = "HyperQueue"
    python_packages = ["hyperqueue"]
    sizes = {"fanout": 2_000, "chain": 50, "layers": 2_000, "spawn": 2_000}
    reasons = {"payload": "no values between tasks"}
    remarks = dict.fromkeys(
        ["fanout", "chain", "layers"], "Each task is a process of /bin/true, as in spawn.")

    def version(self):
        from hyperqueue import get_version
        return get_version().removeprefix("v")

    def start(self):
        from hyperqueue import Client

        folder, ready = self.scratch / "server", self.scratch / "ready"
        folder.mkdir()
        self.launch(sys.executable, "-c", CLUSTER, folder, ready, WORKERS, SLOTS)
        wait_until(ready.exists, "starting server and workers")
        self.client = Client(folder)
        self.endings = (self.scratch / f"ended-{number}" for number in itertools.count())

    def _run(self, nodes, dependencies):
        """Waiting for a job looks once a second, so the end is a file that a last task makes."""
        from hyperqueue import Job

        job = Job(max_fails=1)
        quiet = {"stdout": None, "stderr": None}
        tasks = []
        wanted = set()
        for node in range(nodes):
            before = dependencies(node)
            wanted.update(before)
            tasks.append(job.program(["/bin/true"], deps=[tasks[n] for n in before], **quiet))
        ending = next(self.endings)
        last = [tasks[node] for node in range(nodes) if node not in wanted]
        job.program(["/bin/touch", str(ending)], deps=last, **quiet)
        start = time.perf_counter()
        submitted = self.client.submit(job)
        wait_until(ending.exists, "a job")
        seconds = time.perf_counter() - start
        if self.client.connection.wait_for_jobs([submitted.id], lambda _: None):
            raise Failure("a task failed")
        return seconds

    def fanout(self, nodes):
        return self._run(nodes, lambda _: [])

    spawn = fanout

    def chain(self, nodes):
        return self._run(nodes, lambda node: [node - 1] if node else [])

    def layers(self, nodes):
        return self._run(nodes, layered)
