// The file with the remembered plans in a state folder: one plan a line, written whole at each change.

public import CoordinatorCore
internal import Core
internal import Glibc
internal import JSON
internal import Plans

/// The file `plans.jsonl` of a state folder.
public struct PlanMemoryFile: Sendable {
    /// Its path.
    public let path: String

    /// The file in that folder.
    public init(in folder: String) {
        path = "\(folder)/plans.jsonl"
    }

    /// The plans in it; none if there is no file.
    ///
    /// - Throws: `CoordinatorStateError` that names the line that cannot be read.
    public func load() throws(CoordinatorStateError) -> [RememberedPlan] {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else {
            if errno == ENOENT { return [] }
            throw CoordinatorStateError(
                description: "\(path) cannot be read (error \(errno)); check the folder."
            )
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw CoordinatorStateError(description: "\(path) is no file; move it away.")
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(file, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw CoordinatorStateError(
                    description: "\(path) cannot be read (error \(errno)); check the disk."
                )
            }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        var plans: [RememberedPlan] = []
        for (index, line) in bytes.split(separator: 10, omittingEmptySubsequences: false)
            .enumerated()
        where !line.isEmpty {
            guard let value = try? JSONValue(parsing: Array(line)), let plan = RememberedPlan(value)
            else {
                throw CoordinatorStateError(
                    description: "\(path):\(index + 1) is no remembered plan; correct or remove "
                        + "the line."
                )
            }
            plans.append(plan)
        }
        return plans
    }

    /// Writes these plans in place of those before; a failure leaves these untouched.
    ///
    /// - Returns: Why they are not written; nil if they are.
    func store(_ plans: [RememberedPlan]) -> String? {
        var writer = JSONWriter()
        for plan in plans {
            plan.encode(into: &writer)
            writer.newline()
        }
        let temporary = path + ".new"
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { return "\(temporary) cannot be made (error \(errno))" }
        var rest = writer.bytes[...]
        while !rest.isEmpty {
            let count = rest.withContiguousStorageIfAvailable {
                write(file, $0.baseAddress, $0.count)
            }
            if (count ?? -1) < 0, errno == EINTR { continue }
            guard let count, count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        let isWritten = rest.isEmpty && fsync(file) == 0
        let code = errno
        close(file)
        guard isWritten, rename(temporary, path) == 0 else {
            unlink(temporary)
            return "\(path) cannot be written (error \(isWritten ? errno : code))"
        }
        return nil
    }
}

extension RememberedPlan {
    fileprivate init?(_ value: JSONValue) {
        guard let name = value["plan"]?.stringValue, name.utf8.first == UInt8(ascii: "p"),
            (2...16).contains(name.utf8.count), Int(name.dropFirst()).map({ $0 > 0 }) ?? false,
            let goal = value["goal"]?.stringValue, !goal.isEmpty,
            let calls = value["calls"]?.arrayValue,
            let tools = value["tools"]?.objectValue
        else { return nil }
        let texts = calls.compactMap(\.stringValue)
        guard texts.count == calls.count, texts.count <= PlanExample.mostCalls,
            tools.allSatisfy({ $0.value.stringValue != nil })
        else { return nil }
        self.init(
            name: name,
            example: PlanExample(goal: goal, calls: texts),
            tools: tools.reduce(into: [:]) { $0[$1.key] = $1.value.stringValue },
            run: value["run"]?.stringValue.flatMap(RunID.init),
            unixMilliseconds: value["unix_ms"]?.intValue ?? 0
        )
    }

    fileprivate func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("plan", name)
        writer.field("goal", example.goal)
        writer.key("calls")
        writer.beginArray()
        for call in example.calls { writer.string(call) }
        writer.endArray()
        writer.key("tools")
        writer.beginObject()
        for (tool, digest) in tools.sorted(by: { $0.key < $1.key }) {
            writer.key(escaping: tool)
            writer.string(digest)
        }
        writer.endObject()
        writer.field("run", run?.text)
        writer.field("unix_ms", unixMilliseconds)
        writer.endObject()
    }
}
