// The fields of a YAML mapping, each checked and told apart from an absent one. Manifests and
// configuration files are read with it.
import Core
public import Yams

/// Reads the fields of a file, gathering every problem.
///
/// A field that is absent is nil; one that is wrong is nil too, and reported.
public protocol FieldReading {
    /// Takes a problem of a field.
    ///
    /// - Parameters:
    ///   - node: Where it stands; nil when nowhere.
    ///   - field: The name of the field; nil when it is none's.
    ///   - message: What is wrong and what to do, as it reads behind the name.
    mutating func report(_ node: Node?, field: String?, _ message: String)

    /// Takes the name of a field that is none of those known.
    mutating func reportUnknown(_ key: Node, _ known: [String])
}

extension FieldReading {
    /// A text.
    public mutating func text(_ fields: Node.Mapping, _ name: String) -> String? {
        guard let node = fields[name] else { return nil }
        guard let scalar = node.scalar else {
            report(node, field: name, "must be a text.")
            return nil
        }
        return scalar.string
    }

    /// `true` or `false`.
    public mutating func bool(_ fields: Node.Mapping, _ name: String) -> Bool? {
        guard let node = fields[name] else { return nil }
        switch node.unquotedText {
        case "true", "True", "TRUE": return true
        case "false", "False", "FALSE": return false
        default:
            report(node, field: name, "must be true or false.")
            return nil
        }
    }

    /// A whole number of that range.
    public mutating func integer(
        _ fields: Node.Mapping,
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

    /// A number of that range.
    public mutating func number(
        _ fields: Node.Mapping,
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

    /// A duration with its unit, of that range; any longer than nothing by default.
    public mutating func duration(
        _ fields: Node.Mapping,
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

    /// A size in bytes, of that range; any more than nothing by default.
    public mutating func size(
        _ fields: Node.Mapping,
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

    /// Reports each field that is none of those known.
    public mutating func checkNames(_ fields: Node.Mapping, _ known: [String]) {
        for (key, _) in fields where !known.contains(key.plainText) { reportUnknown(key, known) }
    }

    /// Reports the field with the one that was probably meant.
    public mutating func reportUnknown(_ key: Node, _ known: [String]) {
        reportUnknownField(key, known)
    }

    /// Reports a field that is none of those known, with the one that was probably meant.
    public mutating func reportUnknownField(_ key: Node, _ known: [String]) {
        let name = key.plainText
        report(
            key,
            field: name.isEmpty ? nil : name,
            "is no field here." + Suggestions.sentence(for: name, among: known) + " Known are "
                + known.joined(separator: ", ") + "."
        )
    }
}

extension Node {
    /// The text of a scalar; empty for anything else.
    public var plainText: String { scalar?.string ?? "" }

    /// The text of a scalar that stands without quotes; empty for anything else.
    public var unquotedText: String {
        guard let scalar, scalar.style == .plain else { return "" }
        return scalar.string
    }

    /// Whether nothing stands where a value could.
    public var isNull: Bool {
        guard let scalar, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }
}
