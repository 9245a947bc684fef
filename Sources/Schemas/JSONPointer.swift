// JSON pointers (RFC 6901): names of places in schemas and values.

enum JSONPointer {
    /// The pointer to a member of the value at another pointer.
    static func appending(_ token: String, to pointer: String) -> String {
        var result = pointer + "/"
        for scalar in token.unicodeScalars {
            switch scalar {
            case "~": result += "~0"
            case "/": result += "~1"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// The steps of a pointer as written in a URI after the number sign.
    static func tokens(ofFragment fragment: Substring) -> [String] {
        guard fragment.utf8.first == UInt8(ascii: "/") else { return [] }
        return fragment.utf8.dropFirst()
            .split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { unescaped(percentDecoded(Array($0))) }
    }

    /// Bytes with their `%41` carried out, as text.
    static func percentDecoded(_ bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let byte = UInt8(
                    String(decoding: bytes[index + 1...index + 2], as: UTF8.self),
                    radix: 16
                )
            {
                result.append(byte)
                index += 3
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func unescaped(_ token: String) -> String {
        var result = ""
        var isEscaped = false
        for scalar in token.unicodeScalars {
            switch (isEscaped, scalar) {
            case (false, "~"): isEscaped = true
            case (true, "0"): result += "~"
            case (true, "1"): result += "/"
            case (true, _):
                result += "~"
                result.unicodeScalars.append(scalar)
            case (false, _): result.unicodeScalars.append(scalar)
            }
            if scalar != "~" { isEscaped = false }
        }
        return isEscaped ? result + "~" : result
    }
}
