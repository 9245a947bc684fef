// The single fields of a model's configuration: each is checked; absent and invalid fields are
// different.
internal import Configuration
internal import Core
internal import YAML

extension ModelConfigurationReader {
    mutating func required(
        _ fields: YAMLNode.Mapping,
        _ name: String,
        _ node: YAMLNode,
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

    /// The prices of a million tokens; both have to be there.
    mutating func prices(_ fields: YAMLNode.Mapping) -> TokenPrices? {
        guard let node = fields["prices"] else { return nil }
        guard let prices = node.mapping else {
            report(
                node,
                field: "prices",
                "must be the prices of a million tokens, such as {input: 0.15, output: 0.6}."
            )
            return nil
        }
        checkNames(prices, ["input", "output"])
        let advice = "Say what a million tokens cost."
        for name in ["input", "output"] where prices[name] == nil {
            report(node, field: "prices.\(name)", "is missing. \(advice)")
        }
        guard let input = number(prices, "input", 0...1e9),
            let output = number(prices, "output", 0...1e9)
        else { return nil }
        return TokenPrices(input: input, output: output)
    }

    mutating func list(_ fields: YAMLNode.Mapping, _ name: String, _ example: String) -> [String] {
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
    mutating func baseURL(_ fields: YAMLNode.Mapping) -> String? {
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

    mutating func keySource(_ fields: YAMLNode.Mapping) -> ModelKeySource? {
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
            // A text that is not a name may be a key, so it is not repeated.
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
