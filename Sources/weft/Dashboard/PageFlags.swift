// The page of `weft coordinator`: its flags, and serving it. Not here: what is served (Pages).
internal import ArgumentParser
internal import Console
internal import Coordinator
internal import HTTPServer
internal import Pages
internal import Transport
internal import UVLoop
internal import Wire

/// The flags for the page.
struct PageFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Serve the page and its interface over HTTP at this address of this host, or off "
                + "(default: 127.0.0.1 and the port after that of --listen; off if that is 0).",
            valueName: "host:port"
        )
    )
    var http: String?
    @Option(
        help: ArgumentHelp(
            "Another name under which browsers reach the page, as behind a proxy; may be repeated.",
            valueName: "name"
        )
    )
    var allowHost: [String] = []

    /// Where the page is served; nil if it is not.
    func address(besides listen: Endpoint) throws -> Endpoint? {
        guard let http else {
            guard (1..<65_535).contains(listen.port) else { return nil }
            return Endpoint(host: "127.0.0.1", port: listen.port + 1)
        }
        guard http == "off" else { return try LoopbackAddress.parse(http, flag: "--http") }
        guard allowHost.isEmpty else {
            throw ValidationError("--allow-host is for the page, which --http off leaves out.")
        }
        return nil
    }

    /// Serves the page of a coordinator that listens at an address; nil if there is none.
    ///
    /// If the default address is in use, the coordinator goes on without a page.
    func serve(
        _ service: CoordinatorService,
        at coordinator: SocketAddress,
        besides listen: Endpoint,
        on loop: EventLoop
    ) throws -> PageServer? {
        guard let address = try address(besides: listen) else { return nil }
        let settings = PageServer.Settings(
            address: address,
            otherHosts: allowHost,
            coordinator: Endpoint(
                host: Self.reachable(coordinator.host),
                port: coordinator.port
            ),
            isEncrypted: service.isEncrypted
        )
        do throws(HTTPListenerError) {
            let server = try PageServer(
                loop: loop,
                settings: settings,
                sources: PageServer.Sources(
                    keyring: { service.keyring },
                    unixMilliseconds: { service.unixMilliseconds },
                    metrics: { service.metricsText(isOpenMetrics: $0) }
                )
            )
            service.announcePage(at: server.url)
            Shell.tell("page at \(server.url); weft dashboard opens it")
            return server
        } catch {
            guard http == nil else { throw CommandFailure(.usage, error.description) }
            Shell.tell("no page: \(error.description) Choose another address by --http, or off.")
            return nil
        }
    }

    /// The address at which this process reaches a listener.
    private static func reachable(_ host: String) -> String {
        switch host {
        case "0.0.0.0": "127.0.0.1"
        case "::": "::1"
        default: host
        }
    }
}
