// Opens an address in the browser of the person at this terminal.
internal import FoundationEssentials
internal import UVLoop

enum Browser {
    /// Opens an address; false if there is no desktop, or nothing to open it with.
    static func open(_ address: String) -> Bool {
        let environment = ProcessInfo.processInfo.environment
        let hasDesktop = ["DISPLAY", "WAYLAND_DISPLAY"].contains {
            environment[$0]?.isEmpty == false
        }
        guard hasDesktop || environment["BROWSER"]?.isEmpty == false,
            let loop = try? EventLoop()
        else { return false }
        var isDone = false
        // The browser may go on in the same group when the command that opened it has ended.
        let child = try? ChildProcess.spawn(
            loop: loop,
            options: ChildProcess.Options(
                arguments: ["xdg-open", address],
                environment: environment.map { ($0.key, $0.value) },
                newSession: false
            ),
            onOutput: { _, _ in },
            onExit: { isDone = $0.signal == 0 && $0.code == 0 }
        )
        withExtendedLifetime(child) { loop.run() }
        loop.close()
        return isDone
    }
}
