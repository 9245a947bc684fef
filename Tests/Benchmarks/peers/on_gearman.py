"""Gearman: gearmand, with workers and a client in C."""

from shared import NativePeer, SLOTS, WORKERS, said, wait_until


class Gearman(NativePeer):
    title = "Gearman"
    source = library = "gearman"
    debian_packages = ["gearman-job-server", "libgearman-dev"]
    sizes = {"fanout": 100_000, "chain": 1_000, "payload": 256}

    def version(self):
        return self.ask(self.folder.program("gearmand"), "--version").split()[1]

    def start(self):
        self.launch(self.folder.program("gearmand"), "--listen=127.0.0.1", "--port=4730",
                    "--log-file=stderr")
        wait_until(lambda: said(4730, b"version\n"), "starting the server")
        self.launch_workers()
        ready = f"payload\t0\t0\t{WORKERS * SLOTS}\n".encode()
        wait_until(lambda: ready in said(4730, b"status\n"), "starting the workers")
