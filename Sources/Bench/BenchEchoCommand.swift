// The other side of the ping-pong floor: sends back what it receives. Hidden; `weft bench` starts
// it.

package import ArgumentParser
internal import Console
internal import UVLoop

package struct BenchEchoCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "bench-echo",
        abstract: "Echo bytes over TCP.",
        shouldDisplay: false
    )

    package func run() throws {
        let loop = try Shell.makeLoop()
        let listener = try TCPListener.listen(
            loop: loop,
            host: "127.0.0.1",
            port: 0,
            onConnection: { socket in
                socket.start(
                    onBytes: { bytes in
                        var bytes = bytes
                        socket.write(&bytes)
                    },
                    onEnd: { _ in
                        socket.close()
                        loop.stop()
                    }
                )
            },
            onError: { _ in loop.stop() }
        )
        Output.standard.writeNow("\(listener.localAddress.port)\n")
        loop.run()
        loop.close()
    }

    package init() {}
}
