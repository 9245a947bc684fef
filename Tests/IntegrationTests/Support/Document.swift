// JSON without the project's own reader, for independent checks.
import Foundation

/// A JSON value, or its absence.
struct Document: CustomStringConvertible {
    private let value: Any?

    init(parsing text: String) throws {
        do {
            value = try JSONSerialization.jsonObject(
                with: Data(text.utf8),
                options: .fragmentsAllowed
            )
        } catch {
            throw Missing(description: "no JSON: \(text.prefix(400))")
        }
    }

    private init(_ value: Any?) { self.value = value }

    subscript(key: String) -> Document { Document((value as? [String: Any])?[key]) }
    subscript(index: Int) -> Document {
        guard let list = value as? [Any], list.indices.contains(index) else { return Document(nil) }
        return Document(list[index])
    }

    var text: String? { value as? String }
    var number: Double? { (value as? NSNumber)?.doubleValue }
    var list: [Document] { (value as? [Any] ?? []).map { Document($0) } }
    var isAbsent: Bool { value == nil }
    var keys: Set<String> { Set((value as? [String: Any] ?? [:]).keys) }

    /// The value in a canonical spelling, for comparisons.
    var description: String {
        guard let value else { return "(absent)" }
        let data = try? JSONSerialization.data(
            withJSONObject: value,
            options: [.fragmentsAllowed, .sortedKeys, .withoutEscapingSlashes]
        )
        return String(decoding: data ?? Data(), as: UTF8.self)
    }
}
