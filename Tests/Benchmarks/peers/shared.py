"""What the systems share: the face that each shows to a measurement, the folder that everything is
installed into, and how processes of theirs are started."""

import glob
import os
import pathlib
import shutil
import socket
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
WORKERS = 2
SLOTS = 4
"""Processes of workers, and how much each does at once."""
LAYER = 1_000
"""Nodes of a layer; each depends on two of the layer before."""
PAYLOAD = 256 << 10
"""Bytes of each output of the payload shape."""
SHAPES = ["fanout", "chain", "layers", "payload", "spawn"]
ROUNDS = 3

INSTALLING = 400
"""Seconds until an installation counts as failed."""
PATIENCE = 60
"""Seconds until something that should happen counts as not happening."""


class Failure(Exception):
    """A sentence that tells a person why there is no figure."""


class Folder:
    """Where everything is installed; the machine itself stays as it is."""

    def __init__(self, path):
        self.path = pathlib.Path(path).resolve()
        self.venv = self.path / "venv"
        self.debian = self.path / "debian"
        self.logs = self.path / "logs"
        for folder in [self.path, self.debian, self.logs]:
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def python(self):
        return self.venv / "bin" / "python"

    def command(self, *words, **options):
        """Runs a program to its end and returns what it printed; raises a Failure."""
        words = [str(word) for word in words]
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, errors="replace",
                                  timeout=options.pop("timeout", INSTALLING), **options)
        except FileNotFoundError:
            raise Failure(f"there is no program {words[0]}") from None
        except subprocess.TimeoutExpired as error:
            raise Failure(f"{words[0]} did not end within {error.timeout} s") from None
        if done.returncode != 0:
            with open(self.logs / "install.log", "a") as log:
                log.write(f"$ {' '.join(words)}\n{done.stdout}\n")
            last = (done.stdout.strip().splitlines() or ["no word"])[-1]
            raise Failure(f"{pathlib.Path(words[0]).name} failed: {last[:120]}")
        return done.stdout

    def add_python(self, packages):
        """Installs packages of PyPI into a virtual environment in this folder."""
        if not self.python.exists():
            self.command("python3", "-m", "venv", self.venv)
        self.command(self.python, "-m", "pip", "install", "--quiet",
                     "--disable-pip-version-check", *packages)

    def add_debian(self, packages):
        """Unpacks Debian packages, and what they need and the machine lacks, into this folder."""
        if not shutil.which("apt-get"):
            raise Failure(f"needs the Debian packages {' '.join(packages)}, or a Debian")
        marker = self.debian / ("." + "+".join(packages))
        if marker.exists():
            return
        plan = self.command("apt-get", "install", "--simulate", "--no-install-recommends",
                            *packages)
        missing = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
        # What is asked for is looked for in the folder, although the machine may have it.
        wanted = sorted(set(missing + packages))
        archives = self.path / "archives"
        archives.mkdir(exist_ok=True)
        self.command("apt-get", "download", *wanted, cwd=archives)
        for archive in sorted(archives.glob("*.deb")):
            self.command("dpkg", "-x", archive, self.debian)
        shutil.rmtree(archives)
        marker.touch()

    @property
    def libraries(self):
        """Where the unpacked libraries are."""
        return ":".join(sorted(glob.glob(f"{self.debian}/usr/lib/*-linux-gnu*")))

    def program(self, name):
        """The path of a program that was unpacked."""
        for place in ["usr/bin", "usr/sbin"]:
            if (self.debian / place / name).exists():
                return self.debian / place / name
        raise Failure(f"there is no program {name} in {self.debian}")

    def compile(self, name, library):
        """Builds `NAME.c` beside this file against an unpacked library."""
        self.command("cc", "-O2", "-pthread", HERE / f"{name}.c", "-o", self.path / name,
                     f"-I{self.debian}/usr/include", f"-L{self.libraries.split(':')[0]}",
                     f"-l{library}", f"-Wl,-rpath,{self.libraries}")


class Peer:
    """A system that runs the shapes. Subclasses say what they need and have a method for each shape
    of `sizes`, which runs so many nodes once and returns the seconds that it took."""

    title = ""
    python_packages = []
    debian_packages = []
    sizes = {}
    """How many nodes of a shape; few where the system would take long."""
    reasons = {}
    """Why there is no such shape."""
    remarks = {}
    """What is to be known about the figure of a shape."""

    def __init__(self, folder, scratch, weft):
        self.folder = folder
        self.scratch = pathlib.Path(scratch)
        self.weft = weft

    def install(self):
        """Puts everything needed into the folder; the network may be used."""
        if self.python_packages:
            self.folder.add_python(self.python_packages)
        if self.debian_packages:
            self.folder.add_debian(self.debian_packages)

    def version(self):
        raise NotImplementedError

    def start(self):
        """Starts the system; from here on there is no network but a loopback of our own."""

    # MARK: - For subclasses

    @property
    def _environment(self):
        # Workers in Python find the functions of these files there.
        more = {"PYTHONPATH": str(HERE)}
        if self.debian_packages:
            more["LD_LIBRARY_PATH"] = self.folder.libraries
        return {**os.environ, **more}

    def launch(self, *words, **options):
        """Starts a process that ends with the measurement; what it says goes to the log."""
        return subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL,
                                env=self._environment, **{"stdout": 2, **options})

    def ask(self, *words):
        """What a program prints."""
        return self.folder.command(*words, env=self._environment)


class NativePeer(Peer):
    """A system whose worker and client are one program in C, `NAME.c` beside this file; it drives
    dependencies and collects values itself, because the system does not."""

    source = ""
    library = ""
    mode = []
    """Last words of the program's command line."""
    reasons = {"layers": "no DAG", "spawn": "runs functions"}
    remarks = {
        "chain": "The client sends a task when it has the answer to the one before.",
        "payload": "To the client; there is no last task that gets them all.",
    }

    @property
    def client(self):
        return self.folder.path / self.source

    def install(self):
        super().install()
        self.folder.compile(self.source, self.library)

    def launch_workers(self, **options):
        return [self.launch(self.client, "worker", SLOTS, *self.mode, **options)
                for _ in range(WORKERS)]

    def _measure(self, shape, nodes):
        return float(self.ask(self.client, shape, nodes, *self.mode))

    def fanout(self, nodes):
        return self._measure("fanout", nodes)

    def chain(self, nodes):
        return self._measure("chain", nodes)

    def payload(self, nodes):
        return self._measure("payload", nodes)


def wait_until(holds, what):
    """Asks again and again until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise Failure(f"{what} took more than {PATIENCE} s")
        time.sleep(0.001)


def said(port, question):
    """What is answered to a line on a local port; empty while nobody listens."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(question)
            return connection.recv(4_096)
    except OSError:
        return b""


def layered(node):
    """The two nodes of the layer before that a node of the layers shape depends on."""
    if node < LAYER:
        return []
    above = node - LAYER
    row = above // LAYER * LAYER
    return [above, row + (above - row + 1) % LAYER]
