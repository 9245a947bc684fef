// How a key store lies in the state folder: `keys.json`, one object, and a key file for each role.
//
//     {"version":1,"identities":[{"name":"alice","role":"client","key":{"name":"alice~2",
//     "digits":"…"},"made_ms":…,"former":[{"name":"alice","digits":"…","until_ms":…}],
//     "allow_tools":["search"],"max_running":4}]}
//
// The key of a role's own identity is in its key file, not here.
internal import Glibc
internal import JSON
internal import Wire

extension KeyStore {
    /// The path of the file of identities.
    public static func path(in stateDirectory: String) -> String { "\(stateDirectory)/keys.json" }

    /// Whether a file of the state folder is part of its key store.
    public static func isPart(_ file: String) -> Bool {
        file == "keys.json" || file.hasSuffix(".key")
    }

    /// Reads the store of a state folder; makes the folder and missing keys of roles if asked to.
    public static func load(
        from stateDirectory: String,
        makesKeys: Bool
    ) throws(KeyFileError) -> KeyStore {
        let path = path(in: stateDirectory)
        let isRevoked = Set(
            try readFile(path)?.filter(\.isRevoked).map(\.identity.name) ?? []
        )
        // A change writes the identities first. Read in the other order, the key of a role is the
        // former or the new one, and never one that the identities do not know yet.
        var keys: [Role: HandshakeKey] = [:]
        for role in Role.allCases {
            let makesKey = makesKeys && !isRevoked.contains(role.rawValue)
            keys[role] = try key(of: role, in: stateDirectory, makesKey: makesKey)
        }
        let file = try readFile(path)
        var others = file ?? []
        var firsts: [Holder] = []
        for role in Role.allCases {
            var holder = Holder(identity: Identity(first: role), former: [])
            if let index = others.firstIndex(where: { $0.identity.name == role.rawValue }) {
                holder = others.remove(at: index)
            }
            if !holder.isRevoked { holder.current = keys[role] }
            firsts.append(holder)
        }
        return KeyStore(holders: firsts + others, hasFile: file != nil)
    }

    private static func key(
        of role: Role,
        in stateDirectory: String,
        makesKey: Bool
    ) throws(KeyFileError) -> HandshakeKey? {
        let path = KeyFile.path(of: role, in: stateDirectory)
        do throws(KeyFileError) {
            let key =
                makesKey
                ? try KeyFile.loadOrCreate(role: role, in: stateDirectory)
                : try KeyFile.load(path: path)
            let identity = key.name.flatMap(KeyName.parse)?.identity
            guard let identity, identity != role.rawValue else { return key }
            throw KeyFileError(path: path, reason: .otherIdentity(identity))
        } catch {
            guard error.reason == .missing, !makesKey else { throw error }
            return nil
        }
    }

    /// A key or the file of identities that was there before and is gone, without having been
    /// revoked.
    ///
    /// Moving or restoring the folder must not end all connections.
    public func fileGone(since before: KeyStore, in stateDirectory: String) -> KeyFileError? {
        if before.hasFile, !hasFile {
            return KeyFileError(path: Self.path(in: stateDirectory), reason: .missing)
        }
        for holder in holders where holder.isFirst && !holder.isRevoked && holder.current == nil {
            guard before[holder.identity.name]?.current != nil else { continue }
            let path = KeyFile.path(of: holder.identity.role, in: stateDirectory)
            return KeyFileError(path: path, reason: .missing)
        }
        return nil
    }

    /// Changes the store of a state folder; two changes at a time come one after the other.
    ///
    /// - Parameters:
    ///   - stateDirectory: The folder.
    ///   - makesFolder: Whether the folder is made if it is missing.
    ///   - time: Now, in milliseconds of Unix time; former keys that have ended are forgotten.
    ///   - body: What to change.
    /// - Returns: What the body returns.
    /// - Throws: `KeyFileError`; and what the body throws, when nothing changes.
    public static func change<Value, Failure: Error>(
        in stateDirectory: String,
        makesFolder: Bool = true,
        at time: Int,
        _ body: (inout KeyStore) throws(Failure) -> Value
    ) throws -> Value {
        var status = stat()
        guard makesFolder || stat(stateDirectory, &status) == 0 else {
            throw KeyFileError(path: stateDirectory, reason: .notADirectory)
        }
        try StateDirectory.prepare(stateDirectory)
        let lockPath = "\(stateDirectory)/keys.lock"
        let lock = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0, flock(lock, LOCK_EX) == 0 else {
            throw KeyFileError(path: lockPath, reason: .notCreated(lastError()))
        }
        defer { close(lock) }
        let before = try load(from: stateDirectory, makesKeys: false)
        var store = before
        let value = try body(&store)
        store.prune(at: time)
        try store.save(in: stateDirectory, after: before)
        return value
    }

    /// Writes what has changed.
    private func save(
        in stateDirectory: String,
        after before: KeyStore
    ) throws(KeyFileError) {
        // The identities come first: a key that was revoked or replaced must not be accepted as
        // the key of its role if this process ends in between.
        try SecretFile.replace(Self.path(in: stateDirectory), text: text)
        for holder in holders where holder.isFirst {
            guard holder.current != before[holder.identity.name]?.current else { continue }
            let path = KeyFile.path(of: holder.identity.role, in: stateDirectory)
            if let key = holder.current {
                try SecretFile.replace(path, text: KeyFile.text(of: key))
            } else {
                SecretFile.remove(path)
            }
        }
    }

    // MARK: - Writing

    private static let version = 1

    private var text: String {
        var writer = JSONWriter(reserving: 256)
        writer.beginObject()
        writer.field("version", Self.version)
        writer.key("identities")
        writer.beginArray()
        for holder in holders where !holder.isFirst || holder.isNotable { holder.encode(&writer) }
        writer.endArray()
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self) + "\n"
    }

    // MARK: - Reading

    /// The identities of the file; nil if there is none.
    private static func readFile(_ path: String) throws(KeyFileError) -> [Holder]? {
        do throws(KeyFileError) {
            return try SecretFile.read(path) { (text) throws(KeyFileError) in
                do throws(StoredProblem) {
                    return try decode(text)
                } catch {
                    throw KeyFileError(path: path, reason: .noIdentities(error.text))
                }
            }
        } catch {
            guard error.reason == .missing else { throw error }
            return nil
        }
    }

    private static func decode(_ text: ArraySlice<UInt8>) throws(StoredProblem) -> [Holder] {
        let file = try StoredObject(text: text)
        try file.check("the file", has: ["version", "identities"])
        let version = try file.integer("version")
        guard version == Self.version else {
            throw StoredProblem("it has the version \(version), and this program reads 1")
        }
        var holders: [Holder] = []
        for element in try file.elements("identities") {
            let holder = try Holder(reading: StoredObject(element))
            guard !holders.contains(where: { $0.identity.name == holder.identity.name }) else {
                throw StoredProblem("it has \(holder.identity.name) twice")
            }
            holders.append(holder)
        }
        return holders
    }
}

extension KeyStore.Holder {
    /// Whether there is more to say of the identity of a role than its key file does.
    fileprivate var isNotable: Bool {
        isRevoked || !former.isEmpty || madeAt != nil || identity != Identity(first: identity.role)
    }

    fileprivate func encode(_ writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("name", identity.name)
        writer.field("role", identity.role.rawValue)
        if let current, !isFirst {
            writer.key("key")
            writer.beginObject()
            writer.field("name", current.name ?? identity.name)
            writer.field("digits", current.hex)
            writer.endObject()
        }
        writer.field("made_ms", madeAt)
        writer.field("revoked", isRevoked ? true : nil)
        writer.key("former")
        writer.beginArray()
        for former in former {
            writer.beginObject()
            writer.field("name", former.key.name ?? identity.name)
            writer.field("digits", former.key.hex)
            writer.field("until_ms", former.validUntil)
            writer.endObject()
        }
        writer.endArray()
        if let tools = identity.allowedTools {
            writer.key("allow_tools")
            writer.beginArray()
            for tool in tools { writer.string(tool) }
            writer.endArray()
        }
        writer.field("max_running", identity.maxRunning)
        writer.endObject()
    }

    private static let fields = [
        "name", "role", "key", "made_ms", "revoked", "former", "allow_tools", "max_running",
    ]

    fileprivate init(reading object: StoredObject) throws(StoredProblem) {
        let name = try object.text("name")
        guard PeerName.isValid(name) else {
            throw StoredProblem("the identity \(name) needs a name with \(PeerName.rule)")
        }
        guard let role = Role(rawValue: try object.text("role")) else {
            throw StoredProblem("\(name) has an unknown role")
        }
        // A field that were left out by mistake would give more than was meant.
        try object.check(name, has: Self.fields)
        guard Role(rawValue: name) ?? role == role else {
            throw StoredProblem("\(name) is the identity of a role and has another one")
        }
        identity = Identity(name: name, role: role)
        if object.has("allow_tools") {
            identity.allowedTools = try object.elements("allow_tools").map {
                (element) throws(StoredProblem) in
                guard let tool = element.stringValue else {
                    throw StoredProblem("allow_tools of \(name) has an element that is no text")
                }
                return tool
            }
        }
        if object.has("max_running") {
            identity.maxRunning = try object.integer("max_running")
            guard (identity.maxRunning ?? 0) > 0 else {
                throw StoredProblem("max_running of \(name) must be at least 1")
            }
        }
        madeAt = object.has("made_ms") ? try object.integer("made_ms") : nil
        isRevoked = try object.flag("revoked")
        if object.has("key") {
            let stored = try StoredObject(object.value("key"))
            try stored.check("the key of \(name)", has: ["name", "digits"])
            current = try stored.key(of: name)
        }
        former = []
        for element in object.has("former") ? try object.elements("former") : [] {
            let stored = try StoredObject(element)
            try stored.check("a former key of \(name)", has: ["name", "digits", "until_ms"])
            former.append(
                KeyStore.FormerKey(
                    key: try stored.key(of: name),
                    validUntil: try stored.integer("until_ms")
                )
            )
        }
        guard isFirst || current != nil else { throw StoredProblem("\(name) has no key") }
    }
}

/// What is wrong with a stored object.
private struct StoredProblem: Error {
    let text: String

    init(_ text: String) { self.text = text }
}

/// One object of the file.
private struct StoredObject {
    private let fields: JSONFields

    init(text: ArraySlice<UInt8>) throws(StoredProblem) {
        do throws(JSONError) {
            fields = try JSONFields(parsing: text)
        } catch {
            throw StoredProblem("it is no JSON object (\(error))")
        }
    }

    init(_ value: RawJSON) throws(StoredProblem) { try self.init(text: value.bytes) }

    func has(_ key: StaticString) -> Bool { fields[key] != nil }

    /// Refuses fields that have no meaning.
    func check(_ place: String, has known: [String]) throws(StoredProblem) {
        var names: [String] = []
        let note = { (name: String, _: RawJSON) in names.append(name) }
        fields.forEach(note)
        guard let unknown = names.first(where: { !known.contains($0) }) else { return }
        throw StoredProblem(
            "\(place) has the unknown field \(unknown); there are \(known.joined(separator: ", "))"
        )
    }

    func flag(_ key: StaticString) throws(StoredProblem) -> Bool {
        guard let value = fields[key] else { return false }
        guard let flag = value.boolValue else {
            throw StoredProblem("\(key) is neither true nor false")
        }
        return flag
    }

    func value(_ key: StaticString) throws(StoredProblem) -> RawJSON {
        guard let value = fields[key] else { throw StoredProblem("\(key) is missing") }
        return value
    }

    func text(_ key: StaticString) throws(StoredProblem) -> String {
        guard let text = try value(key).stringValue else {
            throw StoredProblem("\(key) is no text")
        }
        return text
    }

    func integer(_ key: StaticString) throws(StoredProblem) -> Int {
        guard let number = try value(key).intValue else {
            throw StoredProblem("\(key) is no whole number")
        }
        return number
    }

    func elements(_ key: StaticString) throws(StoredProblem) -> [RawJSON] {
        let list = try value(key)
        guard list.kind == .array else { throw StoredProblem("\(key) is no list") }
        var elements: [RawJSON] = []
        list.forEachElement { elements.append($0) }
        return elements
    }

    func key(of identity: String) throws(StoredProblem) -> HandshakeKey {
        let name = try text("name")
        guard KeyName.parse(name)?.identity == identity,
            let key = HandshakeKey(hex: try text("digits"))
        else { throw StoredProblem("a key of \(identity) is damaged") }
        return HandshakeKey(key, named: name)
    }
}
