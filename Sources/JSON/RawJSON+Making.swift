// Builds small documents field by field.

extension RawJSON {
    /// Builds an object field by field.
    public static func object(_ body: (inout JSONWriter) -> Void) -> RawJSON {
        var writer = JSONWriter(reserving: 128)
        writer.beginObject()
        body(&writer)
        writer.endObject()
        return RawJSON(trusted: writer.bytes[...])
    }
}

extension RawJSON {
    /// Builds an array of objects, one for each element.
    public static func array<Element>(
        _ elements: some Sequence<Element>,
        _ body: (inout JSONWriter, Element) -> Void
    ) -> RawJSON {
        var writer = JSONWriter(reserving: 256)
        writer.beginArray()
        for element in elements {
            writer.beginObject()
            body(&writer, element)
            writer.endObject()
        }
        writer.endArray()
        return RawJSON(trusted: writer.bytes[...])
    }
}
