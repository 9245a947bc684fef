// Values of statements and of the rows that they find, in PostgreSQL's binary form.

internal import CPostgreSQL

/// A value of a statement.
enum PostgresValue {
    case null
    case integer(Int)
    /// A text in UTF-8, bytes, or an array.
    case bytes(ArraySlice<UInt8>)

    static func text(_ text: String) -> PostgresValue { .bytes(Array(text.utf8)[...]) }

    static func text(_ text: String?) -> PostgresValue { text.map { .text($0) } ?? .null }

    static func integer(_ value: Int?) -> PostgresValue { value.map { .integer($0) } ?? .null }

    /// Adds it to the next statement of a connection.
    func add(to raw: OpaquePointer) {
        switch self {
        case .null: weft_pg_add_null(raw)
        case .integer(let value): weft_pg_add_integer(raw, Int64(value))
        case .bytes(let bytes):
            let isAdded: Void? = bytes.withContiguousStorageIfAvailable {
                weft_pg_add_bytes(raw, $0.baseAddress, $0.count)
            }
            if isAdded == nil { weft_pg_add_bytes(raw, Array(bytes), bytes.count) }
        }
    }
}

/// An array with one dimension, which a statement takes apart with `unnest`.
struct PostgresArray {
    /// The types of elements, by their numbers in PostgreSQL.
    enum Element: Int {
        case bytes = 17
        case integer = 20
        case text = 25
    }

    private let element: Element
    private var bytes: [UInt8] = []
    private var count = 0
    private var hasNull = false

    /// How many bytes it has.
    var size: Int { bytes.count }

    init(of element: Element) { self.element = element }

    mutating func append(_ value: Int) {
        appendNumber(8, bytes: 4)
        appendNumber(value, bytes: 8)
        count += 1
    }

    mutating func append(_ value: Int?) {
        if let value { append(value) } else { appendNull() }
    }

    mutating func append(_ value: ArraySlice<UInt8>) {
        appendNumber(value.count, bytes: 4)
        bytes += value
        count += 1
    }

    mutating func append(_ text: String?) {
        guard let text else { return appendNull() }
        appendNumber(text.utf8.count, bytes: 4)
        bytes += text.utf8
        count += 1
    }

    mutating func removeAll() {
        // Large ones are rare, and their memory is not kept.
        bytes.removeAll(keepingCapacity: bytes.capacity <= 1 << 20)
        count = 0
        hasNull = false
    }

    /// The value of a statement.
    var value: PostgresValue {
        var whole = PostgresArray(of: element)
        whole.bytes.reserveCapacity(bytes.count + 20)
        whole.appendNumber(1, bytes: 4)
        whole.appendNumber(hasNull ? 1 : 0, bytes: 4)
        whole.appendNumber(element.rawValue, bytes: 4)
        whole.appendNumber(count, bytes: 4)
        // Elements count from 1.
        whole.appendNumber(1, bytes: 4)
        return .bytes((whole.bytes + bytes)[...])
    }

    private mutating func appendNull() {
        appendNumber(-1, bytes: 4)
        count += 1
        hasNull = true
    }

    private mutating func appendNumber(_ number: Int, bytes length: Int) {
        for shift in stride(from: 8 * (length - 1), through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }
}

/// The rows that a statement has found.
final class PostgresRows {
    fileprivate let raw: OpaquePointer?
    let count: Int

    /// The rows of the statement of the connection that has just succeeded.
    init(takenFrom connection: OpaquePointer) {
        raw = weft_pg_take_rows(connection)
        count = raw.map { Int(weft_pg_rows_count($0)) } ?? 0
    }

    deinit {
        if let raw { weft_pg_rows_free(raw) }
    }

    subscript(row: Int) -> PostgresRow {
        precondition(row < count, "row \(row) of \(count) rows was read")
        return PostgresRow(rows: self, row: Int32(row))
    }
}

/// One of the rows.
struct PostgresRow: StoredRow {
    fileprivate let rows: PostgresRows
    fileprivate let row: Int32

    func integer(_ column: Int32) -> Int { Int(weft_pg_integer(rows.raw, row, column)) }

    func optionalInteger(_ column: Int32) -> Int? {
        weft_pg_is_null(rows.raw, row, column) ? nil : integer(column)
    }

    func bytes(_ column: Int32) -> [UInt8] {
        let count = weft_pg_length(rows.raw, row, column)
        guard count > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: count)
        weft_pg_copy(rows.raw, row, column, &bytes)
        return bytes
    }

    func optionalText(_ column: Int32) -> String? {
        weft_pg_is_null(rows.raw, row, column) ? nil : text(column)
    }
}
