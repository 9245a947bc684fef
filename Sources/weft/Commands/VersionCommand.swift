// `weft version`: what this program is made of, for reports and for comparing two hosts.
internal import ArgumentParser
internal import CBuild
internal import Console
internal import Coordinator
internal import HTTP
internal import HTTPServer
internal import JSON
internal import Journal
internal import OrderedCollections
internal import UVLoop
internal import Wire
internal import YAML

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version",
        abstract: "Shows the versions of this program, its protocol and its libraries.",
        discussion: """
            Programs of different versions work together if they share a version of the protocol.
            """
    )

    @Flag(help: "Print it as JSON.")
    var json = false

    func run() {
        let printer = Printer()
        if json { return printer.json(RawJSON(Self.document)) }
        let protocols = ProtocolVersion.supported.map(String.init)
        var build = [Self.configurationName, "Swift \(Self.swift)"]
        if let commit = Self.commit { build.append("commit \(commit)") }
        let libraries = Self.libraries.map { "\($0) \($1 ?? "not here")" }
        printer.pairs([
            ("weft", WeftlineVersion.current),
            ("protocol", protocols.joined(separator: ", ")),
            ("build", build.joined(separator: ", ")),
            ("libraries", libraries.joined(separator: ", ")),
        ])
    }

    /// The same as JSON; what is not known is not there, and a library that is not there is null.
    private static var document: JSONValue {
        var build: OrderedDictionary<String, JSONValue> = [
            "configuration": .string(configurationName), "swift": .string(swift),
        ]
        if let commit { build["commit"] = .string(commit) }
        return [
            "software": .string(WeftlineVersion.software),
            "version": .string(WeftlineVersion.current),
            "protocol": [
                "newest": .integer(Int64(ProtocolVersion.current)),
                "supported": .array(ProtocolVersion.supported.map { .integer(Int64($0)) }),
            ],
            "build": .object(build),
            "libraries": .object(libraries.mapValues { $0.map(JSONValue.string) ?? .null }),
        ]
    }

    /// Each library with its version.
    ///
    /// libcurl, libpq and libmicrohttpd are loaded when they are needed, so a host may lack them.
    private static var libraries: OrderedDictionary<String, String?> {
        [
            "libuv": UVLibrary.version, "OpenSSL": CryptoLibrary.version,
            "simdjson": JSONLibrary.version, "libyaml": YAMLLibrary.version,
            "SQLite": SQLiteLibrary.version, "libcurl": HTTPLibrary.version,
            "libpq": PostgresLibrary.version, "libmicrohttpd": HTTPListener.libraryVersion,
        ]
    }

    /// What metrics say of the program.
    static var build: BuildInfo { BuildInfo(commit: commit ?? "", swift: swift) }

    private static var commit: String? {
        let commit = String(cString: weft_build_commit())
        return commit.isEmpty ? nil : commit
    }

    /// The version that Deploy/build told, else what the compiler says of itself.
    private static var swift: String {
        let told = String(cString: weft_build_swift())
        if !told.isEmpty { return told }
        #if compiler(>=6.4)
        return "6.4 or newer"
        #elseif compiler(>=6.3)
        return "6.3"
        #else
        return "6.2"
        #endif
    }

    private static var configurationName: String {
        #if DEBUG
        "debug"
        #else
        "release"
        #endif
    }
}
