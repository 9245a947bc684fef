"""NATS: requests to a queue group of workers in C, and their replies; as bare messages, and kept by
JetStream until a worker has acknowledged them."""

import subprocess

from shared import Failure, NativePeer, said, wait_until


class NATS(NativePeer):
    title = "NATS"
    source = library = "nats"
    debian_packages = ["nats-server", "libnats-dev"]
    sizes = {"fanout": 100_000, "chain": 1_000, "payload": 256}
    remarks = {
        **NativePeer.remarks,
        "fanout": "Bare messages: no slots and no retry, and what a lost worker had is lost.",
    }

    def version(self):
        return self.ask(self.folder.program("nats-server"), "--version").split("v")[-1].strip()

    def start(self, *options):
        self.launch(self.folder.program("nats-server"), "--addr", "127.0.0.1", *options)
        wait_until(lambda: said(4222, b"PING\r\n"), "starting the server")
        # Its own subjects are counted too, so that the workers have to say when theirs are there.
        for worker in self.launch_workers(stdout=subprocess.PIPE):
            if worker.stdout.readline() != b"ready\n":
                raise Failure("a worker did not start")


class JetStream(NATS):
    title = "NATS JetStream"
    mode = ["kept"]
    # With 50,000 it stalled again and again, and was several times as slow.
    sizes = {"fanout": 20_000, "chain": 500, "payload": 256}
    remarks = {
        **NativePeer.remarks,
        "fanout": "Kept in memory and sent again until acknowledged; answers are bare messages.",
    }

    def start(self):
        super().start("--jetstream", "--store_dir", self.scratch / "stream")
