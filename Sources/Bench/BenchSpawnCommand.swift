// How many processes a second libuv starts and ends by itself. Hidden; `weft bench` starts it.

package import ArgumentParser
internal import Console
internal import UVLoop

package struct BenchSpawnCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "bench-spawn",
        abstract: "Start /bin/true again and again.",
        shouldDisplay: false
    )

    @Argument(help: "How often.")
    var total: Int
    @Argument(help: "How many at once.")
    var concurrency: Int

    package func validate() throws {
        guard total > 0, concurrency > 0 else {
            throw ValidationError("Both numbers must be at least 1.")
        }
    }

    package func run() throws {
        let loop = try Shell.makeLoop()
        let spawning = try SpawnLoop(
            loop: loop,
            program: "/bin/true",
            total: total,
            concurrency: concurrency
        ) { perSecond in
            Output.standard.writeNow("\(perSecond)\n")
        }
        withExtendedLifetime(spawning) { loop.run() }
        loop.close()
    }

    package init() {}
}
