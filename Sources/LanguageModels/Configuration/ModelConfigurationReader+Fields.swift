// The single fields of a model's configuration: each is checked and told apart from an absent one.
internal import Yams

extension ModelConfigurationReader {
    mutating func text(_ fields: Node.Mapping, _ name: String) -> String? {
        guard let node = fields[name] else { return nil }
        guard let scalar = node.scalar else {
            report(node, field: name, "must be a text.")
            return nil
        }
        return scalar.string
    }

    mutating func required(
        _ fields: Node.Mapping,
        _ name: String,
        _ node: Node,
        _ advice: String
    ) -> String {
        guard fields[name] != nil else {
            report(node, field: name, "is missing. \(advice)")
            return ""
        }
        let value = text(fields, name)
        if value?.isEmpty == true { report(fields[name], field: name, "is empty. \(advice)") }
        return value ?? ""
    }

    mutating func bool(_ fields: Node.Mapping, _ name: String) -> Bool? {
        guard let node = fields[name] else { return nil }
        switch node.plainText {
        case "true", "True", "TRUE": return true
        case "false", "False", "FALSE": return false
        default:
            report(node, field: name, "must be true or false.")
            return nil
        }
    }

    mutating func integer(
        _ fields: Node.Mapping,
        _ name: String,
        _ range: ClosedRange<Int>
    ) -> Int? {
        guard let node = fields[name] else { return nil }
        guard let value = Int(node.plainText), range.contains(value) else {
            report(
                node,
                field: name,
                "must be a whole number from \(range.lowerBound) to \(range.upperBound)."
            )
            return nil
        }
        return value
    }

    mutating func number(
        _ fields: Node.Mapping,
        _ name: String,
        _ range: ClosedRange<Double>
    ) -> Double? {
        guard let node = fields[name] else { return nil }
        guard let value = Double(node.plainText), range.contains(value) else {
            let (low, high) = (Int(range.lowerBound), Int(range.upperBound))
            report(node, field: name, "must be a number from \(low) to \(high).")
            return nil
        }
        return value
    }

    /// A number directly followed by `ms`, `s`, `m` or `h`; more than nothing and at most a day.
    mutating func duration(_ fields: Node.Mapping, _ name: String) -> Duration? {
        guard let node = fields[name] else { return nil }
        let text = node.plainText
        let unit = text.drop { ("0"..."9").contains($0) || $0 == "." }
        let units = ["ms": 0.001, "s": 1, "m": 60, "h": 3600]
        guard let number = Double(text.dropLast(unit.count)), let factor = units[String(unit)],
            number * factor > 0, number * factor <= 86_400
        else {
            report(
                node,
                field: name,
                "must be a duration of at most 24h with its unit, such as 500ms, 10s or 2m."
            )
            return nil
        }
        return .milliseconds(number * factor * 1000)
    }

    mutating func list(_ fields: Node.Mapping, _ name: String, _ example: String) -> [String] {
        guard let node = fields[name] else { return [] }
        let texts = node.sequence.map { $0.compactMap { $0.scalar?.string } } ?? []
        guard let sequence = node.sequence, texts.count == sequence.count,
            !texts.isEmpty, texts.allSatisfy({ !$0.utf8.contains(0) })
        else {
            report(node, field: name, "must be a list of texts, \(example).")
            return []
        }
        return texts
    }

    /// The URL without a slash at its end, and without the path that is appended anyway.
    mutating func baseURL(_ fields: Node.Mapping) -> String? {
        guard let node = fields["base_url"], var url = text(fields, "base_url") else { return nil }
        while url.hasSuffix("/") { url.removeLast() }
        for path in ["/chat/completions", "/messages"] where url.hasSuffix(path) {
            url.removeLast(path.count)
        }
        guard ProviderSettings.isURL(url) else {
            report(node, field: "base_url", "must be a URL such as https://api.openai.com/v1.")
            return nil
        }
        if ProviderSettings.hasMoreThanPath(url) {
            report(
                node,
                field: "base_url",
                "must have neither a user, nor a query, nor a fragment. Keys come from key_env or"
                    + " key_file."
            )
        }
        return url
    }

    mutating func keySource(_ fields: Node.Mapping) -> ModelKeySource? {
        if fields["key_env"] != nil, fields["key_file"] != nil {
            report(fields["key_file"], field: "key_file", "excludes key_env. Choose one.")
        }
        if let name = text(fields, "key_env") {
            let isName = name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                    true
                default:
                    false
                }
            }
            // What is no name may be a key; it is not repeated.
            guard isName, !name.isEmpty else {
                report(
                    fields["key_env"],
                    field: "key_env",
                    "must be the name of an environment variable, not the key itself."
                )
                return nil
            }
            return .environment(name)
        }
        guard let path = text(fields, "key_file") else { return nil }
        if path.isEmpty {
            report(fields["key_file"], field: "key_file", "must be the path of a file.")
        }
        return .file(absolute(path))
    }
}
