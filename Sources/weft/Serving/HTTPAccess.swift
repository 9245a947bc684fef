// The address and the token of `weft mcp --http`. Not here: serving.
internal import ArgumentParser
internal import Console
internal import FoundationEssentials
internal import MCPServer
internal import Transport
internal import Wire

/// The flags for serving over HTTP.
struct HTTPAccess: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Serve over HTTP at this address of this host, instead of standard input and output; "
                + "port 0 lets the system choose.",
            valueName: "host:port"
        )
    )
    var http: String?
    @Option(
        help: ArgumentHelp(
            "The file with the token that clients must send; made if it is not there (default: "
                + "mcp.token in the state folder).",
            valueName: "file"
        )
    )
    var tokenFile: String?
    @Flag(help: "Let every program of this host in, without a token.")
    var noToken = false
    @Option(
        help: ArgumentHelp(
            "Another name under which clients reach this address, as behind a proxy; may be "
                + "repeated.",
            valueName: "name"
        )
    )
    var allowHost: [String] = []

    func validate() throws {
        guard http == nil else {
            guard !noToken || tokenFile == nil else {
                throw ValidationError("--no-token and --token-file exclude each other.")
            }
            _ = try endpoint()
            return
        }
        let flag =
            tokenFile != nil
            ? "--token-file" : noToken ? "--no-token" : allowHost.isEmpty ? nil : "--allow-host"
        if let flag { throw ValidationError("\(flag) is for serving by --http.") }
    }

    /// The address; nil for standard input and output.
    func endpoint() throws -> Endpoint? {
        try http.map { try LoopbackAddress.parse($0, flag: "--http") }
    }

    /// The rules for requests, and where the token is.
    func rules(state: String?) throws(CommandFailure) -> (rules: HTTPRules, tokenFile: String?) {
        guard !noToken else { return (HTTPRules(otherHosts: allowHost, token: nil), nil) }
        let folder = StateDirectory.resolve(
            flag: state,
            environment: ProcessInfo.processInfo.environment
        )
        do throws(KeyFileError) {
            if tokenFile == nil { try StateDirectory.prepare(folder) }
            let path = tokenFile ?? "\(folder)/mcp.token"
            let key = try KeyFile.loadOrCreate(path: path)
            return (HTTPRules(otherHosts: allowHost, token: key.hex), path)
        } catch {
            throw CommandFailure(.usage, error.description)
        }
    }
}

/// Addresses to serve HTTP at.
enum LoopbackAddress {
    /// Reads an address of this host alone; port 0 is allowed.
    static func parse(_ text: String, flag: String) throws -> Endpoint {
        let choosesPort = text.hasSuffix(":0")
        var endpoint: Endpoint
        do throws(EndpointError) {
            endpoint = try Endpoint.parse(choosesPort ? "\(text.dropLast())1" : text)
        } catch {
            throw ValidationError("\(flag): \(error)")
        }
        if choosesPort { endpoint.port = 0 }
        if endpoint.host == "localhost" { endpoint.host = "127.0.0.1" }
        guard TLSPolicy.isLoopback(endpoint.host) else {
            throw ValidationError(
                "\(flag) \(text): only addresses of this host alone, such as 127.0.0.1:8080, "
                    + "because HTTP is not encrypted; put a proxy with TLS in front for others."
            )
        }
        return endpoint
    }
}
