// A finding of a rule, and its place.
import Foundation
import Testing

/// A violation of a rule.
struct Finding: Sendable, Equatable, CustomStringConvertible {
    var path: String
    /// From 1.
    var line: Int
    /// What is wrong and what to use instead.
    var message: String

    var description: String { "\(path):\(line): \(message)" }
}

/// Fails the test once for each finding.
func report(_ findings: [Finding]) {
    for finding in findings {
        // The place of the issue is the place of the finding, so that people can click on it.
        let place = SourceLocation(
            // An id contains a folder, which is not in Package.swift.
            fileID: finding.path.contains("/") ? finding.path : "./\(finding.path)",
            filePath: Repository.root.appendingPathComponent(finding.path).path,
            line: finding.line,
            column: 1
        )
        Issue.record(Comment(rawValue: finding.description), sourceLocation: place)
    }
}
