// How a client begins: which era the server speaks, and the list of its tools. The rules are those
// of the specification for clients of both eras.
internal import Core
internal import JSON

extension MCPClientMachine {
    /// Asks for the modern era first; any answer but a description, and silence, mean the other one.
    mutating func open(at now: Instant, into actions: inout [Action]) {
        phase = .probing(
            Probe(
                endsAt: now + configuration.startTimeout,
                triesLegacyAt: now + configuration.probePatience
            )
        )
        request(.discover, MCPMethod.discover, deadline: nil, into: &actions)
    }

    /// Whether it is not known yet which era the server speaks.
    private var isProbing: Bool {
        if case .probing = phase { true } else { false }
    }

    mutating func handleDiscovered(
        _ response: Result<RawJSON, JSONRPCError>,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard isProbing else { return }
        let versions: [String]
        switch response {
        case .success(let result):
            versions = result.value(at: [.key("supportedVersions")])?.strings ?? []
            if versions.contains(MCPVersion.modern) {
                return enterModern(result, at: now, into: &actions)
            }
        case .failure(let error)
        where error.code == JSONRPCError.Code.unsupportedProtocolVersion.rawValue:
            versions = error.data?.value(at: [.key("supported")])?.strings ?? []
        case .failure:
            return tryLegacy(into: &actions)
        }
        if versions.isEmpty || versions.contains(where: { MCPVersion.legacy.contains($0) }) {
            return tryLegacy(into: &actions)
        }
        fail(
            "it speaks MCP only in versions that are not known here:"
                + " \(versions.joined(separator: ", "))",
            into: &actions
        )
    }

    private mutating func enterModern(
        _ result: RawJSON,
        at now: Instant,
        into actions: inout [Action]
    ) {
        forgetProbe()
        let server = result.value(at: [.key("_meta"), .key(MCPKey.serverInfo.description)])
        facts = ServerFacts(
            era: .modern,
            version: MCPVersion.modern,
            software: server?.serverSoftware
        )
        tellsChanges = result.tellsToolChanges
        list(at: now, into: &actions)
    }

    private mutating func tryLegacy(into actions: inout [Action]) {
        guard case .probing(var probe) = phase, probe.triesLegacyAt != nil else { return }
        probe.triesLegacyAt = nil
        phase = .probing(probe)
        let version = configuration.softwareVersion
        request(.initialize, MCPMethod.initialize, deadline: nil, into: &actions) { writer in
            writer.field("protocolVersion", MCPVersion.newestLegacy)
            writer.field("capabilities", .emptyObject)
            writer.key("clientInfo")
            Self.writeClientInfo(version, into: &writer)
        }
    }

    mutating func handleInitialized(
        _ response: Result<RawJSON, JSONRPCError>,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard isProbing else { return }
        switch response {
        case .failure(let error):
            // The answer for the modern era may still come.
            guard !requests.values.contains(where: { $0.kind == .discover }) else { return }
            fail("it refuses to begin: \(error)", into: &actions)
        case .success(let result):
            let version = result.value(at: [.key("protocolVersion")])?.stringValue ?? ""
            guard MCPVersion.legacy.contains(version) else {
                return fail("it speaks version \"\(version)\" of MCP", into: &actions)
            }
            forgetProbe()
            facts = ServerFacts(
                era: .legacy,
                version: version,
                software: result.value(at: [.key("serverInfo")])?.serverSoftware
            )
            tellsChanges = result.tellsToolChanges
            notify(MCPMethod.initialized, into: &actions)
            list(at: now, into: &actions)
        }
    }

    /// Sends a notification; of its parameters, `_meta` is added where the era wants it.
    mutating func notify(
        _ method: String,
        into actions: inout [Action],
        params: (inout JSONWriter) -> Void = { _ in }
    ) {
        var writer = JSONWriter()
        writer.beginObject()
        params(&writer)
        if isModern { writeMeta(of: nil, into: &writer) }
        writer.endObject()
        let params = RawJSON(trusted: writer.bytes[...])
        var outgoing = Outgoing(
            message: .notification(method: method, params: params == .emptyObject ? nil : params)
        )
        outgoing.headers = headers(of: method, isOfModernEra: isModern)
        actions.append(.send(outgoing))
    }

    private mutating func forgetProbe() {
        phase = .open
        for (id, request) in requests where [.discover, .initialize].contains(request.kind) {
            requests[id] = nil
        }
    }

    mutating func handleProbeDeadlines(at now: Instant, into actions: inout [Action]) {
        guard case .probing(let probe) = phase else { return }
        if now >= probe.endsAt {
            return fail("it did not answer within its start_timeout", into: &actions)
        }
        if let time = probe.triesLegacyAt, now >= time { tryLegacy(into: &actions) }
    }

    // MARK: - Tools

    /// Lists the tools; for the first time, the server becomes ready with that.
    mutating func list(at now: Instant, into actions: inout [Action]) {
        guard !listing.isUnderWay else {
            listing.mustRepeat = true
            return
        }
        listAgainAt = nil
        listing = Listing()
        listing.isUnderWay = true
        requestPage(after: nil, at: now, into: &actions)
    }

    private mutating func requestPage(
        after cursor: String?,
        at now: Instant,
        into actions: inout [Action]
    ) {
        let deadline = now + configuration.startTimeout
        request(.list, MCPMethod.listTools, deadline: deadline, into: &actions) { writer in
            writer.field("cursor", cursor)
        }
    }

    mutating func handleListed(
        _ response: Result<RawJSON, JSONRPCError>,
        at now: Instant,
        into actions: inout [Action]
    ) {
        switch response {
        case .failure(let error) where error.code == JSONRPCError.Code.methodNotFound.rawValue:
            // A server without tools need not know the method.
            endListing(at: now, into: &actions)
        case .failure(let error):
            notListed("\(error)", at: now, into: &actions)
        case .success(let result):
            result.value(at: [.key("tools")])?.forEachElement { entry in
                guard listing.tools.count < configuration.maxTools else { return }
                guard let tool = MCPTool(entry.detached()),
                    listing.names.insert(tool.name).inserted
                else { return }
                listing.tools.append(tool)
            }
            let next = result.value(at: [.key("nextCursor")])?.stringValue
            // A cursor that comes again would lead round in a circle.
            guard let next, listing.cursors.insert(next).inserted,
                listing.tools.count < configuration.maxTools,
                listing.cursors.count <= configuration.maxTools
            else { return endListing(at: now, into: &actions) }
            requestPage(after: next, at: now, into: &actions)
        }
    }

    private mutating func endListing(at now: Instant, into actions: inout [Action]) {
        let isFirst = !hasListed
        hasListed = true
        listing.isUnderWay = false
        if isFirst, let facts {
            actions.append(.becameReady(facts))
            if tellsChanges {
                if facts.era == .modern {
                    listen(into: &actions)
                } else if configuration.usesHTTP {
                    actions.append(
                        .openStream(headers: [("MCP-Protocol-Version", facts.version)])
                    )
                }
            }
        }
        if configuration.usesHTTP, isModern { noteHeaderArguments() }
        actions.append(.listed(listing.tools))
        let mustRepeat = listing.mustRepeat
        listing = Listing()
        if mustRepeat { list(at: now, into: &actions) }
    }

    /// The tools could not be listed; those that were listed before stay, and so do calls under way.
    mutating func notListed(_ reason: String, at now: Instant, into actions: inout [Action]) {
        guard hasListed else {
            return fail("it does not list its tools: \(reason)", into: &actions)
        }
        listing = Listing()
        listAgainAt = now + .seconds(5)
    }

    /// Opens the stream that tells of changes.
    mutating func listen(into actions: inout [Action]) {
        listenAgainAt = nil
        request(.listen, MCPMethod.listen, deadline: nil, into: &actions) { writer in
            writer.key("notifications")
            writer.beginObject()
            writer.field("toolsListChanged", true)
            writer.endObject()
        }
    }

    /// Finds the arguments that go into header lines too (`x-mcp-header` in a schema).
    private mutating func noteHeaderArguments() {
        headerArguments = [:]
        for tool in listing.tools {
            var pairs: [(header: String, argument: String)] = []
            tool.inputSchema.value(at: [.key("properties")])?.forEachField { name, schema in
                guard schema.kind == .object,
                    let header = schema.value(at: [.key("x-mcp-header")])?.stringValue
                else { return }
                pairs.append(("Mcp-Param-\(header)", name))
            }
            if !pairs.isEmpty { headerArguments[tool.name] = pairs }
        }
    }
}

extension RawJSON {
    /// The strings of an array.
    fileprivate var strings: [String] {
        var strings: [String] = []
        if kind == .array { forEachElement { $0.stringValue.map { strings.append($0) } } }
        return strings
    }

    /// Name and version of a server.
    fileprivate var serverSoftware: String? {
        guard let name = value(at: [.key("name")])?.stringValue else { return nil }
        let version = value(at: [.key("version")])?.stringValue ?? ""
        return version.isEmpty ? name : "\(name) \(version)"
    }

    /// Whether a server says that it tells when its tools change.
    fileprivate var tellsToolChanges: Bool {
        value(at: [.key("capabilities"), .key("tools"), .key("listChanged")])?.boolValue ?? false
    }
}
