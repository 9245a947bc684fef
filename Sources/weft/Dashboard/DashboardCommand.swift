// `weft dashboard`: opens the page of a coordinator. Not here: the page.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import FoundationEssentials
internal import Gateway
internal import JSON
internal import UVLoop
internal import Wire

struct DashboardCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dashboard",
        abstract: "Opens the coordinator's page in a browser.",
        discussion: """
            The page shows runs, workers and tools live. It only looks, unless --control lets it \
            cancel, retry, approve and drain with the rights of your key. The address has a ticket \
            in it that is good once, for a minute. If the coordinator is on another host, forward \
            the port of its page first, such as by ssh -L 7421:127.0.0.1:7421 HOST.

            Programs use the same interface, /v1/openapi.json, with a token. Examples:

              weft dashboard
              weft dashboard --no-open
              curl -H "Authorization: Bearer $(weft dashboard --token)" \
            http://127.0.0.1:7421/v1/runs
            """
    )

    @Flag(help: "Let the page cancel, retry, approve and drain.")
    var control = false
    @Flag(help: "Print the address and open nothing.")
    var noOpen = false
    @Flag(help: "Print a token for programs, and open nothing.")
    var token = false
    @Option(
        name: .customLong("for"),
        help: ArgumentHelp(
            "How long the token is good, unless its key ends before (default: 12h).",
            valueName: "duration"
        ),
        transform: positiveDuration
    )
    var validity: Duration?
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard validity == nil || token else {
            throw ValidationError("--for is for a --token; a ticket is good for a minute.")
        }
        guard !token || !noOpen else {
            throw ValidationError("--token opens nothing anyway; drop --no-open.")
        }
    }

    func run() throws {
        let options = try connection.clientOptions(readsOnly: !control)
        let role = control ? Role.client : .viewer
        if token {
            let text = Self.sign(.token, options, role, for: validity ?? .seconds(12 * 3_600))
            return Printer().lines([text])
        }
        let page = try Self.page(of: options)
        let ticket = Self.sign(.ticket, options, role, for: .seconds(60))
        let address = "\(page)/#ticket=\(ticket)"
        guard !noOpen, Browser.open(address) else {
            return Printer().lines([address])
        }
        Shell.tell("opens \(page)")
    }

    private static func page(of options: CoordinatorClient.Options) throws -> String {
        var status: StatusDocument?
        try Session.run { session in
            session.connect(options) { client in
                client.get(.status) { result in
                    do {
                        status = try StatusDocument(decoding: try result.get())
                        session.end()
                    } catch let error as ClientError {
                        session.end(CommandFailure(error))
                    } catch {
                        session.end(CommandFailure(.failed, "\(error)"))
                    }
                }
            }
        }
        guard let page = status?.page else {
            throw CommandFailure(
                .failed,
                "The coordinator serves no page; start it with --http 127.0.0.1:7421."
            )
        }
        return page
    }

    private static func sign(
        _ kind: PageToken.Kind,
        _ options: CoordinatorClient.Options,
        _ role: Role,
        for duration: Duration
    ) -> String {
        let now = Int(Date().timeIntervalSince1970 * 1_000)
        let token = PageToken(
            kind,
            of: options.key.name(for: options.role),
            as: role,
            until: now + duration.wholeMilliseconds,
            nonce: SecureRandom.bytes(16)
        )
        return token.signed(with: options.key)
    }
}
