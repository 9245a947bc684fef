// `weft keys`: who may connect to the coordinator of a state folder. Works on the files of the
// folder; a running coordinator notices. Not here: how identities are stored (KeyStore).
internal import ArgumentParser
internal import Configuration
internal import Console
internal import Core
internal import FoundationEssentials
internal import JSON
internal import Transport
internal import Wire

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Lists, adds, renews, revokes and exports the keys of a coordinator.",
        discussion: """
            Each worker host, colleague or program that connects may have an identity of its own: \
            the coordinator then knows whose runs are whose, and one key can be renewed or revoked \
            without the others. The keys client, viewer and worker are made at the coordinator's \
            first start. These commands work on the state folder, on the coordinator's host; a \
            running coordinator notices within a second. Examples:

              weft keys
              weft keys add alice --role client
              weft keys export alice --for 10.0.0.5:7420 --out alice.join
              weft keys rotate worker --grace 1h
              weft keys revoke alice
            """,
        subcommands: [
            ListKeysCommand.self, AddKeyCommand.self, BindKeyCommand.self, RotateKeyCommand.self,
            RevokeKeyCommand.self, ExportKeyCommand.self,
        ],
        defaultSubcommand: ListKeysCommand.self
    )
}

/// The state folder of the coordinator whose keys are changed.
struct KeyFolder: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The state folder (default: WEFT_STATE_DIR, else ~/.local/state/weftline).",
            valueName: "folder"
        )
    )
    var state: String?

    var path: String {
        StateDirectory.resolve(flag: state, environment: ProcessInfo.processInfo.environment)
    }

    /// Milliseconds of Unix time.
    static var now: Int { Int(Date().timeIntervalSince1970 * 1_000) }

    /// The store as it is.
    func load() throws(CommandFailure) -> KeyStore {
        do {
            return try KeyStore.load(from: path, makesKeys: false)
        } catch {
            throw CommandFailure(.usage, error.description)
        }
    }

    /// Changes the store.
    func change<Value>(
        makesFolder: Bool = false,
        _ body: (inout KeyStore) throws(KeyStoreError) -> Value
    ) throws(CommandFailure) -> Value {
        do {
            return try KeyStore.change(
                in: path,
                makesFolder: makesFolder,
                at: Self.now,
                body
            )
        } catch let error as KeyStoreError {
            throw CommandFailure(.usage, error.sentence)
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
    }
}

extension KeyStoreError {
    /// What is wrong and what to do, for a person at the terminal.
    fileprivate var sentence: String {
        switch self {
        case .badName(let name):
            "\"\(name)\" cannot be a name: it must have \(PeerName.rule)."
        case .roleName(let name, let role):
            "\(name) is the name of the first key of a role, not of a \(role.rawValue). Choose "
                + "another name."
        case .taken(let name):
            "There is an identity \(name). Give it a new key by weft keys rotate \(name), or "
                + "choose another name."
        case .unknown(let name, let known):
            "There is no identity \(name)."
                + (Suggestions.closest(to: name, among: known).map { " Did you mean \($0)?" }
                    ?? " weft keys lists those that there are.")
        case .noKey(let name):
            "\(name) has no key yet; a coordinator makes it at its first start."
        case .noRuns(let name):
            "\(name) submits no runs, so that there is nothing to bind."
        case .revoked(let name):
            "The keys of \(name) were revoked. Make a new one by weft keys add \(name) --role "
                + "\(name)."
        }
    }
}

struct ListKeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists who may connect; never shows a key."
    )

    @OptionGroup var folder: KeyFolder
    @Flag(help: "Print the identities as JSON.")
    var json = false

    func run() throws {
        let store = try folder.load()
        let now = KeyFolder.now
        let printer = Printer()
        if json { return printer.json(Self.document(store, now)) }
        let holders = store.holders.filter { $0.current != nil || $0.isRevoked }
        guard !holders.isEmpty else {
            return printer.lines([
                "No keys in \(folder.path). A coordinator makes them at its first start, and weft "
                    + "keys add adds one."
            ])
        }
        var table = TextTable([
            .init(title: "NAME"), .init(title: "ROLE"), .init(title: "KEY"),
            .init(title: "MADE", isNumeric: true), .init(title: "FORMER KEYS"),
            .init(title: "BOUND TO", isElastic: true),
        ])
        for holder in holders {
            let identity = holder.identity
            let former = holder.former.filter { $0.validUntil > now }.map {
                "\($0.key.name ?? identity.name) for "
                    + Text.duration(milliseconds: Double($0.validUntil - now))
            }
            let made = holder.madeAt.map { Text.duration(milliseconds: Double(now - $0)) + " ago" }
            table.add([
                .init(identity.name), .init(identity.role.rawValue),
                holder.isRevoked ? .init("revoked", .red) : .init(holder.keyName ?? ""),
                .init(made ?? ""), .init(former.joined(separator: ", ")),
                .init(identity.bounds),
            ])
        }
        printer.table(table)
    }

    private static func document(_ store: KeyStore, _ now: Int) -> RawJSON {
        var writer = JSONWriter(reserving: 512)
        writer.beginArray()
        for holder in store.holders where holder.current != nil || holder.isRevoked {
            writer.beginObject()
            writer.field("name", holder.identity.name)
            writer.field("role", holder.identity.role.rawValue)
            writer.field("key", holder.keyName)
            writer.field("revoked", holder.isRevoked)
            writer.field("made_at", holder.madeAt.map { UnixTime(milliseconds: $0).text })
            writer.key("former")
            writer.beginArray()
            for former in holder.former where former.validUntil > now {
                writer.beginObject()
                writer.field("key", former.key.name ?? holder.identity.name)
                writer.field("until", UnixTime(milliseconds: former.validUntil).text)
                writer.endObject()
            }
            writer.endArray()
            if let tools = holder.identity.allowedTools {
                writer.key("allow_tools")
                writer.beginArray()
                for tool in tools { writer.string(tool) }
                writer.endArray()
            }
            writer.field("max_running", holder.identity.maxRunning)
            writer.endObject()
        }
        writer.endArray()
        return RawJSON(trusted: writer.bytes[...])
    }
}

extension Identity {
    /// What its runs are bound to, in words.
    fileprivate var bounds: String {
        var parts: [String] = []
        if let allowedTools {
            parts.append(allowedTools.isEmpty ? "no tools" : allowedTools.joined(separator: ", "))
        }
        if let maxRunning { parts.append("\(maxRunning) running") }
        return parts.joined(separator: "; ")
    }
}

struct AddKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Adds an identity with a key of its own."
    )

    @Argument(help: "Its name.")
    var name: String
    @Option(
        help: "What it connects as: client submits runs, viewer watches, worker runs tools."
    )
    var role: Role
    @OptionGroup var bounds: BoundFlags
    @OptionGroup var folder: KeyFolder

    func validate() throws {
        guard role == .client || bounds.isEmpty else {
            throw ValidationError("--allow-tool and --max-running are for clients, who have runs.")
        }
    }

    func run() throws {
        let identity = Identity(
            name: name,
            role: role,
            allowedTools: bounds.tools,
            maxRunning: bounds.maxRunning
        )
        _ = try folder.change(makesFolder: true) { (store) throws(KeyStoreError) in
            try store.add(identity, at: KeyFolder.now)
        }
        Printer().lines([
            "\(name) may connect as \(role.rawValue). Give it its join line: weft keys export "
                + "\(name) --for HOST:PORT"
        ])
    }
}

struct BindKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bind",
        abstract: "Sets what the runs of a client are bound to, in place of what there was.",
        discussion: """
            Without --allow-tool they may use every tool, without --max-running there is no bound \
            of its own. The key stays, and so do connections; runs that were accepted go on. Example:

              weft keys bind alice --allow-tool search --max-running 4
            """
    )

    @Argument(help: "The identity.")
    var name: String
    @OptionGroup var bounds: BoundFlags
    @OptionGroup var folder: KeyFolder

    func run() throws {
        _ = try folder.change { (store) throws(KeyStoreError) in
            try store.bind(name, toTools: bounds.tools, maxRunning: bounds.maxRunning)
        }
        let identity = try folder.load()[name]?.identity
        let words = identity?.bounds ?? ""
        Printer().lines([
            words.isEmpty ? "\(name) is bound to nothing." : "\(name) is bound to: \(words)."
        ])
    }
}

/// What the runs of a client are bound to.
struct BoundFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A tool that its runs may use; all others are refused. May be repeated.",
            valueName: "tool"
        )
    )
    var allowTool: [String] = []
    @Option(
        help: ArgumentHelp(
            "How many nodes of all its runs together may be with workers at a time.",
            valueName: "number"
        )
    )
    var maxRunning: Int?

    var tools: [String]? { allowTool.isEmpty ? nil : allowTool }
    var isEmpty: Bool { allowTool.isEmpty && maxRunning == nil }

    func validate() throws {
        guard maxRunning.map({ $0 > 0 }) ?? true else {
            throw ValidationError("--max-running must be at least 1.")
        }
    }
}

struct RotateKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate",
        abstract: "Gives an identity a new key; the former one is accepted for a while."
    )

    @Argument(help: "The identity.")
    var name: String
    @Option(help: "How long the former key is accepted, such as 1h; 0s ends it at once.")
    var grace = "24h"
    @OptionGroup var folder: KeyFolder

    func validate() throws { _ = try graceMilliseconds() }

    func run() throws {
        let grace = try graceMilliseconds()
        let holder = try folder.change { (store) throws(KeyStoreError) in
            try store.rotate(name, grace: grace, at: KeyFolder.now)
        }
        let end =
            grace == 0
            ? "The former one is not accepted any more."
            : "The former one is accepted for \(self.grace)."
        Printer().lines([
            "\(name) has the new key \(holder.keyName ?? name). \(end) Give it its join line: weft "
                + "keys export \(name) --for HOST:PORT"
        ])
    }

    private func graceMilliseconds() throws -> Int {
        do {
            let duration = try Quantities.parseDuration(grace)
            return Int(duration / .milliseconds(1))
        } catch {
            throw ValidationError("--grace: \(error)")
        }
    }
}

struct RevokeKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Takes all keys of an identity away and ends its connections."
    )

    @Argument(help: "The identity.")
    var name: String
    @OptionGroup var folder: KeyFolder

    func run() throws {
        _ = try folder.change { (store) throws(KeyStoreError) in try store.revoke(name) }
        Printer().lines(["The keys of \(name) are not accepted any more."])
    }
}

struct ExportKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Prints the join line of an identity: coordinator, name and key.",
        discussion: """
            The line is as secret as the key: keep it in a file that only its owner can read, as \
            --out does. It is all that a worker or a client needs:

              weft keys export worker --for 10.0.0.5:7420 --out worker.join
              weft worker --join worker.join --tools tools.yaml
            """
    )

    @Argument(help: "The identity.")
    var name: String
    @Option(
        name: .customLong("for"),
        help: ArgumentHelp(
            "The address at which the coordinator is reached; several with commas are tried in "
                + "turn.",
            valueName: "host:port"
        )
    )
    var address: String
    @Option(help: EncryptionFlag.help)
    var tls: TLSPolicy?
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "Write the line into a new file that only you can read.",
            valueName: "file"
        )
    )
    var out: String?
    @OptionGroup var folder: KeyFolder

    func validate() throws { try Endpoints.parse(address, "--for") }

    func run() throws {
        let endpoints = try Endpoints.parse(address, "--for")
        let policy = try EncryptionFlag.policy(tls)
        let encrypted = endpoints.filter { policy.encrypts(host: $0.host) }
        guard encrypted.isEmpty || encrypted.count == endpoints.count else {
            throw ValidationError(
                "--for names addresses of this host and of others; say --tls always or --tls never."
            )
        }
        let store = try folder.load()
        guard let holder = store[name], let key = holder.current else {
            let known = store.holders.filter { $0.current != nil }.map(\.identity.name)
            throw CommandFailure(
                .usage,
                store[name]?.isRevoked == true
                    ? KeyStoreError.revoked(name).sentence
                    : KeyStoreError.unknown(name, known: known).sentence
            )
        }
        let invitation = Invitation(
            endpoints: endpoints,
            role: holder.identity.role,
            key: key,
            isEncrypted: !encrypted.isEmpty
        )
        guard let out else { return Printer().lines([invitation.line]) }
        do throws(KeyFileError) {
            try invitation.write(to: out)
        } catch {
            throw CommandFailure(.usage, error.description)
        }
    }
}
