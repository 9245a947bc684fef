// Spans as OTLP in the binary form of Protocol Buffers: fields by number, in opentelemetry-proto's
// trace.proto, common.proto and resource.proto.
internal import Wire

extension SpanBatch {
    /// The body of a request, `application/x-protobuf`.
    public var protobuf: [UInt8] {
        var scope = ProtobufWriter()
        scope.text(1, Self.scope)
        scope.text(2, version)
        var scoped = ProtobufWriter()
        scoped.bytes(1, scope.bytes)
        for span in spans { scoped.bytes(2, span.protobuf) }
        var described = ProtobufWriter()
        for attribute in resource { described.bytes(1, attribute.protobuf) }
        var resourceSpans = ProtobufWriter()
        resourceSpans.bytes(1, described.bytes)
        resourceSpans.bytes(2, scoped.bytes)
        var request = ProtobufWriter()
        request.bytes(1, resourceSpans.bytes)
        return request.bytes
    }
}

extension Span {
    fileprivate var protobuf: [UInt8] {
        var writer = ProtobufWriter()
        writer.hexadecimal(1, trace)
        writer.hexadecimal(2, id)
        if let parent { writer.hexadecimal(4, parent) }
        writer.text(5, name)
        writer.number(6, kind.rawValue)
        writer.fixed(7, start)
        writer.fixed(8, end)
        for attribute in attributes { writer.bytes(9, attribute.protobuf) }
        for link in links {
            var linked = ProtobufWriter()
            linked.hexadecimal(1, trace)
            linked.hexadecimal(2, link)
            writer.bytes(13, linked.bytes)
        }
        if isFailed {
            var status = ProtobufWriter()
            if !message.isEmpty { status.text(2, message) }
            status.number(3, SpanStatus.failed)
            writer.bytes(15, status.bytes)
        }
        return writer.bytes
    }
}

extension Span.Attribute {
    fileprivate var protobuf: [UInt8] {
        var value = ProtobufWriter()
        switch self.value {
        case .text(let text): value.text(1, text)
        case .number(let number): value.number(3, number)
        case .fraction(let fraction): value.fixed(4, Int(bitPattern: UInt(fraction.bitPattern)))
        }
        var writer = ProtobufWriter()
        writer.text(1, name)
        writer.bytes(2, value.bytes)
        return writer.bytes
    }
}

/// Writes fields of a message; one that is written is there, also with the default value.
private struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    /// A whole number in as few bytes as it needs.
    mutating func number(_ field: Int, _ value: Int) {
        variable(UInt64(field) << 3)
        variable(UInt64(bitPattern: Int64(value)))
    }

    /// Eight bytes.
    mutating func fixed(_ field: Int, _ value: Int) {
        variable(UInt64(field) << 3 | 1)
        let bits = UInt64(bitPattern: Int64(value))
        for shift in stride(from: 0, to: 64, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
        }
    }

    mutating func bytes(_ field: Int, _ value: some Collection<UInt8>) {
        variable(UInt64(field) << 3 | 2)
        variable(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    mutating func text(_ field: Int, _ value: String) { bytes(field, Array(value.utf8)) }

    mutating func hexadecimal(_ field: Int, _ digits: String) {
        bytes(field, Hex.decode(Array(digits.utf8)) ?? [])
    }

    private mutating func variable(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
