"""Helpers of the tests of encrypted connections: peers over openssl, a relay that can damage what
passes, weft commands, and programs that may not be there."""

import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

from peer import PATIENCE, WEFT, Peer


def python_with_psk():
    """A Python whose standard library knows pre-shared keys; None if there is none."""
    homes = sorted(pathlib.Path.home().glob(".pyenv/versions/3.1[3-9]*/bin/python3"))
    for program in [sys.executable, shutil.which("python3.13"), *homes]:
        words = [program, "-c", "import ssl; ssl.SSLContext.set_psk_client_callback"]
        if program and subprocess.run(words, capture_output=True).returncode == 0:
            return str(program)
    return None


def weft(*words, text="", environment=None):
    """Runs a command to its end."""
    return subprocess.run([WEFT, *map(str, words)], input=text, capture_output=True, text=True,
                          timeout=60, env=environment)


class Client:
    """`openssl s_client`, whose standard input and output are a raw peer."""

    def __init__(self, address, name, key, *options, quiet=True):
        """The key is bytes."""
        ours, theirs = socket.socketpair()
        self.errors = tempfile.TemporaryFile()
        # There is no authority, so that no certificate can pass.
        version = [] if "-tls1_2" in options else ["-tls1_3"]
        words = ["openssl", "s_client", "-connect", address, *version, "-psk_identity", name,
                 "-psk", key.hex(), "-no-CAfile", "-no-CApath", "-no-CAstore",
                 "-verify_return_error", *options]
        if quiet:
            words.append("-quiet")
        self.process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=self.errors)
        theirs.close()
        self.peer = Peer(ours)

    def error(self):
        """What went wrong, without what differs from one process to the other."""
        self.process.wait(timeout=PATIENCE)
        self.errors.seek(0)
        lines = self.errors.read().decode().splitlines()
        return [line.split(":error:", 1)[1] for line in lines if ":error:" in line]

    def close(self):
        self.peer.close()
        self.process.kill()
        self.process.wait()
        self.errors.close()


class Relay:
    """Passes bytes between one peer and a coordinator; it can damage the next ones."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.damages = False
        self.ends = []
        self.threads = [threading.Thread(target=self.run, args=(port,), daemon=True)]
        self.threads[0].start()

    def run(self, port):
        near, _ = self.listener.accept()
        far = socket.create_connection(("127.0.0.1", port))
        self.ends = [near, far]
        back = threading.Thread(target=self.pump, args=(far, near, False), daemon=True)
        back.start()
        self.pump(near, far, True)
        back.join()

    def pump(self, source, sink, may_damage):
        try:
            while data := source.recv(1 << 16):
                if may_damage and self.damages:
                    data = data[:-1] + bytes([data[-1] ^ 1])
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()
        for end in self.ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.threads[0].join(timeout=PATIENCE)
        for end in self.ends:
            end.close()
