// Reads and writes hello, challenge, auth and welcome.
internal import JSON

extension Hello: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        versions = try fields.elements("versions").map { (raw: RawJSON) throws(WireError) in
            guard let version = raw.intValue else {
                throw fields.bad("versions", "must be an array of whole numbers")
            }
            return version
        }
        if versions.isEmpty {
            throw fields.missing("versions")
        }
        // A stranger is not told which roles exist or what names look like.
        guard
            let role = Role(rawValue: try fields.string("role")),
            PeerName.isValid(try fields.string("name"))
        else { throw WireError.authFailed }
        self.role = role
        name = try fields.string("name")
        nonce = try fields.hex("nonce", count: Limits.nonceBytes)
        key = try fields.optionalString("key")
        // Every name that cannot be one of a key is unknown, like any other.
        if let key, !KeyName.isValid(key) { throw WireError.authFailed }
        resume = try fields.optionalObject("resume").map { (object) throws(WireError) in
            Resume(session: try object.name("session"), epoch: try object.integer("epoch"))
        }
    }

    func write(into writer: inout JSONWriter) {
        writer.key("versions")
        writer.beginArray()
        for version in versions {
            writer.integer(version)
        }
        writer.endArray()
        writer.field("role", role.rawValue)
        writer.field("name", name)
        writer.field(hex: "nonce", nonce)
        writer.field("key", key)
        if let resume {
            writer.key("resume")
            writer.beginObject()
            writer.field("session", resume.session)
            writer.field("epoch", resume.epoch)
            writer.endObject()
        }
    }
}

extension Challenge: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        version = try fields.integer("version")
        nonce = try fields.hex("nonce", count: Limits.nonceBytes)
        session = try fields.name("session")
        mac = try fields.hex("mac", count: Limits.nonceBytes)
    }

    func write(into writer: inout JSONWriter) {
        writer.field("version", version)
        writer.field(hex: "nonce", nonce)
        writer.field("session", session)
        writer.field(hex: "mac", mac)
    }
}

extension Auth: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        mac = try fields.hex("mac", count: Limits.nonceBytes)
    }

    func write(into writer: inout JSONWriter) {
        writer.field(hex: "mac", mac)
    }
}

extension Welcome: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        session = try fields.name("session")
        epoch = try fields.integer("epoch")
        software = try fields.string("software")
        let object = try fields.object("limits")
        limits = AnnouncedLimits(
            maxLine: try object.integer("max_line", in: 1024...Limits.largestInteger),
            maxValue: try object.integer("max_value", in: 1...Limits.largestInteger),
            window: try object.integer("window", in: 1...Limits.largestInteger)
        )
        heartbeatMilliseconds = try fields.integer(
            "heartbeat_ms",
            in: 1...Limits.largestInteger
        )
        leaseMilliseconds = try fields.integer("lease_ms", in: 1...Limits.largestInteger)
    }

    func write(into writer: inout JSONWriter) {
        writer.field("session", session)
        writer.field("epoch", epoch)
        writer.field("software", software)
        writer.key("limits")
        writer.beginObject()
        writer.field("max_line", limits.maxLine)
        writer.field("max_value", limits.maxValue)
        writer.field("window", limits.window)
        writer.endObject()
        writer.field("heartbeat_ms", heartbeatMilliseconds)
        writer.field("lease_ms", leaseMilliseconds)
    }
}
