"""Measures one system and prints a line of JSON for its version and for each shape.

Started by `run` as the first process of namespaces of its own: the only network is a loopback that
nobody else sees, and the kernel ends every process here when this one ends.
"""

import argparse
import fcntl
import json
import pathlib
import socket
import struct
import sys
import traceback

import peers
from shared import Failure, Folder, LAYER, ROUNDS, SHAPES

WARM_UP = 1_000
"""As many no-op nodes as `weft bench` runs before it measures."""
SIOCSIFFLAGS = 0x8914
IFF_UP = 1


def raise_loopback():
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def say(**line):
    print(json.dumps(line), flush=True)


def quickly(shape, nodes):
    """A tenth, but not so few that the shape is lost."""
    least = {"layers": 2 * LAYER, "payload": nodes}.get(shape, 20)
    return min(nodes, max(nodes // 10, least))


def measure(peer, quick):
    say(version=peer.version())
    peer.start()
    peer.fanout(WARM_UP)
    for shape in SHAPES:
        if shape not in peer.sizes:
            say(shape=shape, reason=peer.reasons[shape])
            continue
        nodes = quickly(shape, peer.sizes[shape]) if quick else peer.sizes[shape]
        run = getattr(peer, shape)
        try:
            seconds = [run(nodes) for _ in range(1 if quick else ROUNDS)]
            say(shape=shape, nodes=nodes, seconds=seconds, remark=peer.remarks.get(shape))
        except Failure as failure:
            say(shape=shape, reason="none", remark=f"Failed: {failure}.")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("folder")
    parser.add_argument("scratch")
    parser.add_argument("weft")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    raise_loopback()
    socket.sethostname("localhost")
    peer = peers.make(options.name, Folder(options.folder), options.scratch,
                      pathlib.Path(options.weft))
    try:
        measure(peer, options.quick)
    except Exception as error:
        traceback.print_exc()
        words = str(error).strip().splitlines() or [type(error).__name__]
        say(failure=words[0][:120])
        sys.exit(1)


main()
