"""A proxy between real processes that delays, stops and cuts what it passes on.

A link has one address of its own. What it does to the bytes is set for each way, `out` to the
coordinator and `in` from it, and holds for all connections through the link."""

import asyncio
import contextlib
import random
import socket
import struct
import threading

PIECES = 2000
"""So many bytes of what is read at once go one by one; the rest would only take time."""


class Way:
    """One direction of a link."""

    def __init__(self):
        self.heal()

    def heal(self):
        self.delay = 0
        self.is_stopped = False
        self.in_pieces = False
        self.cut_after = None


class Link:
    """A listening address, and what happens to what goes through it."""

    def __init__(self, name, target, source):
        self.name, self.target, self.source = name, target, source
        self.ways = {"out": Way(), "in": Way()}
        self.connections = set()
        self.tasks = set()
        self.cuts = 0
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.socket.setblocking(False)
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]

    async def serve(self):
        loop = asyncio.get_running_loop()
        while True:
            peer, _ = await loop.sock_accept(self.socket)
            task = loop.create_task(self.connect(peer))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def connect(self, peer):
        loop = asyncio.get_running_loop()
        other = socket.socket()
        pair = (peer, other)
        self.connections.add(pair)
        try:
            for side in pair:
                side.setblocking(False)
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(other, ("127.0.0.1", self.target))
            pumps = [loop.create_task(self.pump(self.ways["out"], peer, other)),
                     loop.create_task(self.pump(self.ways["in"], other, peer))]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:
            pass
        finally:
            self.connections.discard(pair)
            for side in pair:
                side.close()

    async def pump(self, way, here, there):
        """Passes on what comes until the end, which is held back like everything else."""
        loop = asyncio.get_running_loop()
        while True:
            await self.while_stopped(way)
            data = await loop.sock_recv(here, 1 << 16)
            await self.while_stopped(way)
            if not data:
                return
            if way.delay:
                await asyncio.sleep(way.delay * self.source.uniform(0.5, 1.5))
            if way.cut_after is not None:
                if len(data) >= way.cut_after:
                    await loop.sock_sendall(there, data[:way.cut_after])
                    way.cut_after = None
                    self.cuts += 1
                    self.reset(here, there)
                    return
                way.cut_after -= len(data)
            if way.in_pieces:
                for place in range(min(PIECES, len(data))):
                    await loop.sock_sendall(there, data[place:place + 1])
                    if place % 20 == 0:
                        await asyncio.sleep(0)
                data = data[PIECES:]
            await loop.sock_sendall(there, data)

    @staticmethod
    async def while_stopped(way):
        while way.is_stopped:
            await asyncio.sleep(0.01)

    @staticmethod
    def reset(*sides):
        """Both ends see a connection that broke, not one that ended."""
        for side in sides:
            side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def reset_all(self):
        for pair in list(self.connections):
            self.reset(*pair)
            for side in pair:
                with contextlib.suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)


class Proxy:
    """All links of a session, on a thread of their own."""

    def __init__(self, target, names, seed):
        self.links = {name: Link(name, target, random.Random(f"{seed}/{name}")) for name in names}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def __getitem__(self, name):
        return self.links[name]

    def run(self):
        asyncio.set_event_loop(self.loop)
        servers = [self.loop.create_task(link.serve()) for link in self.links.values()]
        self.loop.run_forever()
        tasks = [*servers, *(task for link in self.links.values() for task in link.tasks)]
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        for link in self.links.values():
            link.socket.close()
        self.loop.close()

    def heal(self):
        for link in self.links.values():
            for way in link.ways.values():
                way.heal()

    def close(self):
        self.heal()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
