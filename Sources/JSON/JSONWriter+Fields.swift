// Shorthands for one field of an object: a key and its value. Optional values that are nil write
// nothing.

extension JSONWriter {
    /// Writes a string field.
    public mutating func field(_ name: StaticString, _ value: String) {
        key(name)
        string(value)
    }

    /// Writes an integer field.
    public mutating func field(_ name: StaticString, _ value: Int) {
        key(name)
        integer(value)
    }

    /// Writes a field that is true or false.
    public mutating func field(_ name: StaticString, _ value: Bool) {
        key(name)
        bool(value)
    }

    /// Writes a double field.
    public mutating func field(_ name: StaticString, _ value: Double) {
        key(name)
        double(value)
    }

    /// Writes a field whose value is already JSON.
    public mutating func field(_ name: StaticString, _ value: RawJSON) {
        key(name)
        raw(value)
    }

    /// Writes a string field if there is a value.
    public mutating func field(_ name: StaticString, _ value: String?) {
        if let value { field(name, value) }
    }

    /// Writes an integer field if there is a value.
    public mutating func field(_ name: StaticString, _ value: Int?) {
        if let value { field(name, value) }
    }

    /// Writes a field that is true or false if there is a value.
    public mutating func field(_ name: StaticString, _ value: Bool?) {
        if let value { field(name, value) }
    }

    /// Writes a double field if there is a value.
    public mutating func field(_ name: StaticString, _ value: Double?) {
        if let value { field(name, value) }
    }

    /// Writes a field whose value is already JSON, if there is one.
    public mutating func field(_ name: StaticString, _ value: RawJSON?) {
        if let value { field(name, value) }
    }
}
