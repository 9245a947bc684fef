// Reads the fields of a YAML mapping; each is checked, and absent and invalid fields are different.
// Used for manifests and configuration files.
import Core
public import YAML

/// Reads the fields of a file and collects all problems.
///
/// A field that is absent is nil; one that is wrong is nil too, and reported.
public protocol FieldReading {
    /// Records a problem of a field.
    ///
    /// - Parameters:
    ///   - node: Where it is; nil if unknown.
    ///   - field: The name of the field; nil if it concerns no field.
    ///   - message: What is wrong and what to do, to follow the name.
    mutating func report(_ node: YAMLNode?, field: String?, _ message: String)

    /// The message for an unknown field.
    mutating func reportUnknown(_ key: YAMLNode, _ known: [String])
}

extension FieldReading {
    /// A text.
    public mutating func text(_ fields: YAMLNode.Mapping, _ name: String) -> String? {
        guard let node = fields[name] else { return nil }
        guard let scalar = node.scalar else {
            report(node, field: name, "must be a text.")
            return nil
        }
        return scalar.string
    }

    /// `true` or `false`.
    public mutating func bool(_ fields: YAMLNode.Mapping, _ name: String) -> Bool? {
        guard let node = fields[name] else { return nil }
        switch node.unquotedText {
        case "true", "True", "TRUE": return true
        case "false", "False", "FALSE": return false
        default:
            report(node, field: name, "must be true or false.")
            return nil
        }
    }

    /// A whole number in that range.
    public mutating func integer(
        _ fields: YAMLNode.Mapping,
        _ name: String,
        _ range: ClosedRange<Int>
    ) -> Int? {
        guard let node = fields[name] else { return nil }
        guard let value = Int(node.unquotedText), range.contains(value) else {
            report(
                node,
                field: name,
                "must be a whole number from \(range.lowerBound) to \(range.upperBound)."
            )
            return nil
        }
        return value
    }

    /// A number in that range.
    public mutating func number(
        _ fields: YAMLNode.Mapping,
        _ name: String,
        _ range: ClosedRange<Double>
    ) -> Double? {
        guard let node = fields[name] else { return nil }
        guard let value = Double(node.unquotedText), range.contains(value) else {
            let (low, high) = (Int(range.lowerBound), Int(range.upperBound))
            report(node, field: name, "must be a number from \(low) to \(high).")
            return nil
        }
        return value
    }

    /// A duration with its unit, in that range; longer than zero by default.
    public mutating func duration(
        _ fields: YAMLNode.Mapping,
        _ name: String,
        _ range: ClosedRange<Duration> = .nanoseconds(1) ... .seconds(36_000_000)
    ) -> Duration? {
        guard let node = fields[name] else { return nil }
        do {
            let value = try Quantities.parseDuration(node.plainText)
            if range.contains(value) { return value }
            report(
                node,
                field: name,
                value < range.lowerBound && range.lowerBound == .nanoseconds(1)
                    ? "must be longer than zero."
                    : "must be from \(Quantities.text(range.lowerBound)) to"
                        + " \(Quantities.text(range.upperBound))."
            )
        } catch {
            report(node, field: name, error.message)
        }
        return nil
    }

    /// A size in bytes, in that range; more than zero by default.
    public mutating func size(
        _ fields: YAMLNode.Mapping,
        _ name: String,
        _ range: ClosedRange<Int> = 1...Int.max
    ) -> Int? {
        guard let node = fields[name] else { return nil }
        do {
            let value = try Quantities.parseSize(node.plainText)
            if range.contains(value) { return value }
            report(
                node,
                field: name,
                value < 1 && range.lowerBound == 1
                    ? "must be more than zero."
                    : "must be from \(Quantities.text(bytes: range.lowerBound)) to"
                        + " \(Quantities.text(bytes: range.upperBound))."
            )
        } catch {
            report(node, field: name, error.message)
        }
        return nil
    }

    /// Reports each unknown field.
    public mutating func checkNames(_ fields: YAMLNode.Mapping, _ known: [String]) {
        for (key, _) in fields where !known.contains(key.plainText) { reportUnknown(key, known) }
    }

    /// Reports the field with the name that was probably meant.
    public mutating func reportUnknown(_ key: YAMLNode, _ known: [String]) {
        reportUnknownField(key, known)
    }

    /// Reports an unknown field, with the name that was probably meant.
    public mutating func reportUnknownField(_ key: YAMLNode, _ known: [String]) {
        let name = key.plainText
        report(
            key,
            field: name.isEmpty ? nil : name,
            "is not a field here." + Suggestions.sentence(for: name, among: known) + " Known are "
                + known.joined(separator: ", ") + "."
        )
    }
}

extension YAMLNode {
    /// The text of a scalar; empty for anything else.
    public var plainText: String { scalar?.string ?? "" }

    /// The text of a scalar without quotes; empty for anything else.
    public var unquotedText: String {
        guard let scalar, scalar.isPlain else { return "" }
        return scalar.string
    }

    /// Whether a value is missing.
    public var isNull: Bool {
        guard let scalar, scalar.isPlain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }
}
