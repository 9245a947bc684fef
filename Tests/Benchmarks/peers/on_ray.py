"""Ray: two of its nodes on this machine, each with processes that run functions."""

import importlib.metadata
import time

from shared import Failure, PAYLOAD, Peer, SLOTS, WORKERS, layered, wait_until

ADDRESS = "127.0.0.1:6379"
MEMORY = 200 << 20
"""Shared memory for values, in bytes for each node."""


class Ray(Peer):
    title = "Ray"
    python_packages = ["ray"]
    sizes = {"fanout": 5_000, "chain": 300, "layers": 4_000, "payload": 256}
    reasons = {"spawn": "runs functions"}
    remarks = {"payload": "Processes of one node share memory; only between the two nodes, and "
                          "not through the head, are values sent."}

    def version(self):
        return importlib.metadata.version("ray")

    def start(self):
        import ray

        program = self.folder.venv / "bin" / "ray"
        common = ["--block", "--node-ip-address", "127.0.0.1", "--num-cpus", SLOTS,
                  "--object-store-memory", MEMORY, "--disable-usage-stats"]
        self.launch(program, "start", "--head", "--port", "6379", "--include-dashboard", "false",
                    "--temp-dir", self.scratch, *common)
        # A node that comes before the head is ready asks for it again and again.
        for _ in range(1, WORKERS):
            self.launch(program, "start", "--address", ADDRESS, *common)
        self._connect(ray)
        wait_until(lambda: ray.cluster_resources().get("CPU") == WORKERS * SLOTS, "joining")
        remote = ray.remote(num_cpus=1)
        self.ray = ray
        self.noop = remote(lambda *_: None)
        self.make = remote(lambda: bytes(PAYLOAD))
        self.size = remote(lambda *parts: sum(len(part) for part in parts))

    @staticmethod
    def _connect(ray):
        deadline = time.monotonic() + 60
        while True:
            try:
                return ray.init(address=ADDRESS, _node_ip_address="127.0.0.1",
                                log_to_driver=False)
            except Exception as error:
                if time.monotonic() > deadline:
                    raise Failure(f"connecting failed: {error}") from None
                time.sleep(0.5)

    def fanout(self, nodes):
        start = time.perf_counter()
        self.ray.get([self.noop.remote() for _ in range(nodes)])
        return time.perf_counter() - start

    def chain(self, nodes):
        start = time.perf_counter()
        last = self.noop.remote()
        for _ in range(1, nodes):
            last = self.noop.remote(last)
        self.ray.get(last)
        return time.perf_counter() - start

    def layers(self, nodes):
        start = time.perf_counter()
        made = []
        for node in range(nodes):
            made.append(self.noop.remote(*(made[before] for before in layered(node))))
        self.ray.get(made)
        return time.perf_counter() - start

    def payload(self, nodes):
        start = time.perf_counter()
        parts = [self.make.remote() for _ in range(nodes)]
        if self.ray.get(self.size.remote(*parts)) != nodes * PAYLOAD:
            raise Failure("bytes are missing")
        return time.perf_counter() - start
