// Arguments of a single call as the arguments of a node, in which nothing refers to another node.
internal import JSON

enum LiteralArguments {
    /// The arguments with each dollar sign in a text doubled, as plans write one.
    ///
    /// Keys are left alone, as they are in plans. The escape for a dollar sign becomes two signs,
    /// too.
    static func of(_ arguments: RawJSON) -> RawJSON {
        let dollar = UInt8(ascii: "$")
        let escape = Array("\\u0024".utf8)
        let bytes = arguments.bytes
        guard bytes.contains(dollar) || bytes.contains(UInt8(ascii: "\\")) else { return arguments }
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + 16)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            guard bytes[index] == UInt8(ascii: "\"") else {
                output.append(bytes[index])
                index += 1
                continue
            }
            let start = index
            let place = output.count
            output.append(bytes[index])
            index += 1
            while index < bytes.endIndex, bytes[index] != UInt8(ascii: "\"") {
                if bytes[index] == dollar || bytes[index...].starts(with: escape) {
                    output.append(dollar)
                    output.append(dollar)
                    index += bytes[index] == dollar ? 1 : escape.count
                } else {
                    let count = bytes[index] == UInt8(ascii: "\\") ? 2 : 1
                    output += bytes[index..<min(index + count, bytes.endIndex)]
                    index += count
                }
            }
            output.append(UInt8(ascii: "\""))
            index = min(index + 1, bytes.endIndex)
            guard bytes[index...].first(where: { !isSpace($0) }) == UInt8(ascii: ":") else {
                continue
            }
            output.replaceSubrange(place..., with: bytes[start..<index])
        }
        return RawJSON(trusted: output[...])
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        [0x20, 0x09, 0x0A, 0x0D].contains(byte)
    }
}
