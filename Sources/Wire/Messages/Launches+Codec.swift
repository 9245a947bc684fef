// Reads and writes launch.
internal import JSON

extension LaunchReport: MessageBody {
    init(reading fields: FieldReader) throws(WireError) {
        launch = try LaunchDocument(reading: fields)
    }

    func write(into writer: inout JSONWriter) { launch.write(into: &writer) }
}
